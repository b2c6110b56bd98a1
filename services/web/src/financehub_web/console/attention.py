"""Finds what a person should look at although the health report may be ok: schedules and dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass

from financehub_shared.metrics import QueueFigures
from financehub_shared.schedules import ScheduleInfo

_FAILED = {"dead-lettered", "lost"}


@dataclass(frozen=True, slots=True)
class TroubledSchedule:
    """A schedule that needs attention.

    Args:
        info: The schedule.
        reasons: Why it needs attention, beginning with what keeps it from running.
    """

    info: ScheduleInfo
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Attention:
    """What needs attention.

    Args:
        schedules: The schedules that failed, are late or do not run.
        dead_letters: Number of dead letters in all queues.
    """

    schedules: Sequence[TroubledSchedule] = ()
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
    troubled = [TroubledSchedule(info, reasons) for info in schedules if (reasons := _reasons(info, now))]
    return Attention(troubled, sum(queue.dead for queue in queues))


def _reasons(info: ScheduleInfo, now: float) -> list[str]:
    """Return why a schedule needs attention, or nothing if it needs none."""
    reasons = []
    if info.is_late(now):
        reasons.append("its next run is late")
    if not info.is_claimed(now):
        reasons.append("no live scheduler runs it")
    if info.problem:
        reasons.append(info.problem)
    if info.paused and info.paused.failures:
        reasons.append(str(info.paused))
    if info.outcome.last_run_outcome in _FAILED:
        error = info.outcome.last_run_error
        reasons.append(f"its last run failed: {error}" if error else "its last run failed")
    return reasons
