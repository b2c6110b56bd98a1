"""What to do about due times that have passed: pure."""

from dataclasses import dataclass
from enum import StrEnum

from financehub_scheduler.recurrence.rules import Timing

#: Later than this, a run was missed rather than a little late; loop lag and failover are below a second.
GRACE_SECONDS = 10
#: Runs that one catch-up may start; Kubernetes CronJobs give up at the same number.
MAX_CATCH_UP = 100
#: Missed runs are counted up to here: a frequent schedule after a long holiday must not stall the others.
MAX_COUNTED = 1_000


class CatchUp(StrEnum):
    """What happens to runs that came due while no scheduler could enqueue them."""

    NONE = "None"
    LATEST = "Latest"
    ALL = "All"


@dataclass(frozen=True, slots=True)
class Plan:
    """Answer for one schedule at one moment.

    Args:
        fire: due times to enqueue now, ascending.
        missed: how many due times are given up, counted up to `MAX_COUNTED`.
        mark: the high-water mark once this plan is carried out; None: nothing was due.
    """

    fire: tuple[int, ...]
    missed: int
    mark: int | None


def plan(timing: Timing, mark: float, now: float, policy: CatchUp, deadline: float | None) -> Plan:
    """Decide which due times in (mark, now] still run.

    Args:
        timing: the schedule's due times.
        mark: due time of the last run that was enqueued or given up, Unix seconds.
        now: Unix seconds.
        policy: `spec.catchUp`.
        deadline: `spec.startingDeadlineSeconds`; None: however late.
    """
    until = now - timing.offset
    wanted = timing.newest(MAX_CATCH_UP if policy is CatchUp.ALL else 1, mark, until)
    if not wanted:
        return Plan((), 0, None)
    latest = deadline if deadline is not None else float("inf")
    if policy is CatchUp.NONE:
        latest = min(latest, GRACE_SECONDS)
    fire = tuple(due for due in wanted if until - due <= latest)
    return Plan(fire, timing.count(mark, until, MAX_COUNTED) - len(fire), wanted[-1])
