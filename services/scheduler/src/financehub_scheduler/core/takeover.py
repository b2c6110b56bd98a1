"""Finds out which due runs of other schedulers' shares nobody has settled."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from financehub_scheduler.core.planner import OthersRun, Planner
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import EncodedRun, EnqueueOutcome, EnqueueResult
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.durations import DAY_SECONDS

#: A mark is at most this far ahead of its due time. A later one is damaged, and the script that enqueues repairs it.
_LATEST_MS = 366 * DAY_SECONDS * 1000
#: The outcomes with which a scheduler has settled a due time itself.
SETTLING = frozenset(
    {
        EnqueueOutcome.ENQUEUED,
        EnqueueOutcome.MISSED,
        EnqueueOutcome.OVERLAP,
        EnqueueOutcome.BACKLOG,
        EnqueueOutcome.BUFFERED,
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of the due runs of others.

    Args:
        settled: State, run, and the result that Redis would have returned for it.
        left: State and runs of each schedule whose due time nobody has settled, or whose spec may be outdated.
    """

    settled: list[tuple[ScheduleState, EncodedRun, EnqueueResult]] = field(default_factory=list)
    left: list[tuple[ScheduleState, Sequence[EncodedRun]]] = field(default_factory=list)


class Takeover:
    """Compares due runs of others with the high-water marks, which one cheap command reads for a whole batch.

    Args:
        registry: Reads the marks.
        planner: Computes the runs of a schedule that is taken over.
    """

    def __init__(self, registry: Registry, planner: Planner) -> None:
        self._registry = registry
        self._planner = planner

    async def look(self, others: Sequence[OthersRun]) -> Found:
        """Divide due runs of others into those that are settled and those to submit.

        Those of a schedule that was edited elsewhere are submitted too, because only the reply shows whether our spec
        still counts.

        Args:
            others: The due runs. One whose schedule is planned again in the meantime is ignored.

        Raises:
            redis.RedisError: Redis did not reply or returned an error.
        """
        marks = await self._registry.high_water_marks([other.state.schedule.uid for other in others])
        found = Found()
        for other, mark_ms in zip(others, marks, strict=True):
            state, run = other.state, other.run
            if not self._planner.is_current(state) or state.next_run is not run:
                continue
            due_ms = round(run.run.due * 1000)
            # A mark does not show whose spec it comes from. If ours is outdated, the script that enqueues says so.
            if not state.is_outdated and mark_ms is not None and due_ms <= mark_ms < due_ms + _LATEST_MS:
                result = EnqueueResult(EnqueueOutcome.ALREADY, mark_ms / 1000)
                found.settled.append((state, run, result))
            else:
                found.left.append((state, self._planner.runs_of(state, other.fire_at)))
        return found
