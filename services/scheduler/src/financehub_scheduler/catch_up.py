"""Decides which past due times still run."""

from dataclasses import dataclass

from financehub_scheduler.timeline import Timeline
from financehub_shared.spec.scheduled_task import CatchUp

#: A due run that is enqueued at most this late is in time, whatever `catchUp` is. A busy loop or a takeover by another
#: scheduler delays a run by less than a second, so a run that is later than this was due during an outage.
GRACE_SECONDS = 10
#: Maximum number of runs that one catch-up starts. Kubernetes CronJobs have the same limit.
MAX_CATCH_UP = 100
#: Missed runs are counted up to this number, so that a frequent schedule does not block the others after a long outage.
MAX_COUNTED = 1_000


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
    timeline: Timeline, mark: float, now: float, policy: CatchUp, starting_deadline_seconds: float | None
) -> CatchUpPlan:
    """Decide which due times after the high-water mark that should have been enqueued by now still run.

    A due time is late by the time since it was to be enqueued. Its window to start is `startingDeadlineSeconds` long
    from then on, so one that is at least that late is missed. `catchUp` only decides about those that no scheduler
    could enqueue in time.

    Args:
        timeline: The due times of the schedule.
        mark: The high-water mark, Unix seconds.
        now: Unix seconds.
        policy: `spec.catchUp`.
        starting_deadline_seconds: `spec.startingDeadlineSeconds`; None for no limit.
    """
    newest = timeline.newest(MAX_CATCH_UP if policy is CatchUp.ALL else 1, mark, now)
    if not newest:
        return CatchUpPlan((), 0, None)
    if policy is CatchUp.ALL:
        chosen = newest
    else:
        in_time = timeline.between(mark, now - GRACE_SECONDS, now)[-MAX_CATCH_UP:]
        chosen = in_time or (newest if policy is CatchUp.LATEST else [])
    window = starting_deadline_seconds if starting_deadline_seconds is not None else float("inf")
    fire = tuple(due for due in chosen if now - timeline.enqueue_time(due) < window)
    return CatchUpPlan(fire, timeline.count(mark, now, MAX_COUNTED) - len(fire), newest[-1])
