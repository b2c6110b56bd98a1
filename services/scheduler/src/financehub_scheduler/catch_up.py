"""Decides which past due times still run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from financehub_shared.spec.scheduled_task import CatchUp

#: With `catchUp: None`, a due time that is at most this late still runs. A busy loop or a takeover by another scheduler
#: delays a run by less than a second, so a due time that is later than this passed during an outage.
GRACE_SECONDS = 10
#: Maximum number of runs that one catch-up starts. Kubernetes CronJobs have the same limit.
MAX_CATCH_UP = 100
#: Missed runs are counted up to this number, so that a frequent schedule does not block the others after a long outage.
MAX_COUNTED = 1_000


class DueTimes(Protocol):
    """The due times of a schedule: its recurrence, or the successes of its predecessor."""

    @property
    def offset(self) -> float: ...
    def newest(self, count: int, after: float, until: float) -> Sequence[float]: ...
    def count(self, after: float, until: float, limit: int) -> int: ...


@dataclass(frozen=True, slots=True)
class CatchUpPlan:
    """The catch-up decision for one schedule.

    Args:
        fire: Due times to enqueue now, ascending.
        missed: Number of given-up due times, counted up to `MAX_COUNTED`.
        mark: The high-water mark after this plan; None if nothing was due.
    """

    fire: tuple[float, ...]
    missed: int
    mark: float | None


def plan_catch_up(
    recurrence: DueTimes, mark: float, now: float, policy: CatchUp, starting_deadline_seconds: float | None
) -> CatchUpPlan:
    """Decide which due times in (mark, now] still run.

    Args:
        recurrence: The due times of the schedule.
        mark: The high-water mark, Unix seconds.
        now: Unix seconds.
        policy: `spec.catchUp`.
        starting_deadline_seconds: `spec.startingDeadlineSeconds`; None for no limit.
    """
    until = now - recurrence.offset
    newest = recurrence.newest(MAX_CATCH_UP if policy is CatchUp.ALL else 1, mark, until)
    if not newest:
        return CatchUpPlan((), 0, None)
    max_lateness = starting_deadline_seconds if starting_deadline_seconds is not None else float("inf")
    if policy is CatchUp.NONE:
        max_lateness = min(max_lateness, GRACE_SECONDS)
    fire = tuple(due for due in newest if until - due <= max_lateness)
    return CatchUpPlan(fire, recurrence.count(mark, until, MAX_COUNTED) - len(fire), newest[-1])
