"""Finds what a person should look at although the health report may be ok: schedules and dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass

from financehub_shared.metrics import QueueFigures
from financehub_shared.schedules import ScheduleInfo

_FAILED = {"dead-lettered", "lost"}


@dataclass(frozen=True, slots=True)
class Attention:
    """What needs attention.

    Args:
        schedules: The schedules that failed, are late or do not run.
        dead_letters: Number of dead letters in all queues.
    """

    schedules: Sequence[ScheduleInfo] = ()
    dead_letters: int = 0

    @property
    def parts(self) -> list[tuple[int, str]]:
        """(number, noun) of each kind of thing that needs attention."""
        counts = [(len(self.schedules), "schedule"), (self.dead_letters, "dead letter")]
        return [(count, noun) for count, noun in counts if count]


def attention_of(schedules: Sequence[ScheduleInfo], queues: Sequence[QueueFigures], now: float) -> Attention:
    """Return what needs attention.

    Args:
        schedules: All schedules.
        queues: The statistics of all queues.
        now: The current time in Unix seconds.
    """
    return Attention([info for info in schedules if _needs_attention(info, now)], sum(queue.dead for queue in queues))


def _needs_attention(info: ScheduleInfo, now: float) -> bool:
    """Whether the last run of a schedule failed, its next run is late, it does not run, or no scheduler runs it."""
    failed = info.outcome.last_run_outcome in _FAILED
    return failed or bool(info.problem) or info.is_late(now) or not info.is_claimed(now)
