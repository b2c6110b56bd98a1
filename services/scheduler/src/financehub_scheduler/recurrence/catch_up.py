"""Decides which due times that have passed still run."""

from dataclasses import dataclass
from enum import StrEnum

from financehub_scheduler.recurrence.recurrence import Recurrence

#: A run that is later than this was missed and is not only a little late. Loop lag and failover take under a second.
GRACE_SECONDS = 10
#: Number of runs that one catch-up may start. Kubernetes CronJobs have the same limit.
MAX_CATCH_UP = 100
#: Missed runs are counted up to this number, so that a frequent schedule does not block the others after a long outage.
MAX_COUNTED = 1_000


class CatchUp(StrEnum):
    """`spec.catchUp`: what happens to runs that came due while no scheduler could enqueue them."""

    NONE = "None"
    LATEST = "Latest"
    ALL = "All"


@dataclass(frozen=True, slots=True)
class CatchUpPlan:
    """The decision for one schedule at one moment.

    Args:
        fire: Due times to enqueue now, ascending.
        missed: Number of due times that are given up, counted up to `MAX_COUNTED`.
        mark: The high-water mark after this plan; None if nothing was due.
    """

    fire: tuple[int, ...]
    missed: int
    mark: int | None


def plan_catch_up(
    recurrence: Recurrence, mark: float, now: float, policy: CatchUp, deadline: float | None
) -> CatchUpPlan:
    """Decide which due times in (mark, now] still run.

    Args:
        recurrence: The recurrence of the schedule.
        mark: The high-water mark, Unix seconds.
        now: Unix seconds.
        policy: `spec.catchUp`.
        deadline: `spec.startingDeadlineSeconds`; None for no limit.
    """
    until = now - recurrence.offset
    newest = recurrence.newest(MAX_CATCH_UP if policy is CatchUp.ALL else 1, mark, until)
    if not newest:
        return CatchUpPlan((), 0, None)
    max_lateness = deadline if deadline is not None else float("inf")
    if policy is CatchUp.NONE:
        max_lateness = min(max_lateness, GRACE_SECONDS)
    fire = tuple(due for due in newest if until - due <= max_lateness)
    return CatchUpPlan(fire, recurrence.count(mark, until, MAX_COUNTED) - len(fire), newest[-1])
