"""Decides whether the write of a status waits until everything that the last run changes is known. Pure functions.

The end of a run may be known before the rest of what the run changes: it is added to the recent runs with a delay, and
our engine learns with a delay that another scheduler has enqueued it. A status that is written in between needs a
second write.
"""

from collections.abc import Sequence

from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.kubernetes.observed_status import ConditionDigest
from financehub_scheduler.kubernetes.status.conditions import evaluate, must_be_written_now
from financehub_scheduler.kubernetes.status.snapshot import ScheduleSnapshot
from financehub_scheduler.kubernetes.watch.resource import WatchedResource

#: Seconds after the end of a run for which a write waits. The shorter time is for a write with a condition transition.
#: What is not known by then may never be, such as the record of a run that its scheduler did not live to write. A run
#: that waited in its queue for long may not be listed any more, because the list has only the ten newest runs.
WAIT_SECONDS = 10.0
TRANSITION_WAIT_SECONDS = 1.0


def must_wait(
    resource: WatchedResource,
    state: ScheduleState | None,
    snapshot: ScheduleSnapshot,
    before: Sequence[ConditionDigest],
    now: float,
    waited: float = 0.0,
) -> bool:
    """Whether the write of a status waits, because what the last run changes is not completely known.

    Args:
        resource: The resource in the API server.
        state: Its active schedule; None if its spec is refused.
        snapshot: Its record and runs in Redis.
        before: The conditions in the API server.
        now: Unix seconds.
        waited: Seconds for which this write has been waiting. A further run that ends meanwhile does not start the wait
            again, because a schedule with frequent runs would then never have a current status.
    """
    ended_at = snapshot.record.outcome.last_run_at
    if ended_at is None or now < ended_at:
        return False
    waited = max(waited, now - ended_at)
    if waited >= WAIT_SECONDS or (_is_listed(snapshot) and not _is_behind(state, snapshot)):
        return False
    if waited < TRANSITION_WAIT_SECONDS:
        return True
    return not must_be_written_now(evaluate(resource, state, snapshot.record), resource.generation, before)


def _is_listed(snapshot: ScheduleSnapshot) -> bool:
    return any(run.message_id == snapshot.record.outcome.last_run_id for run in snapshot.recent)


def _is_behind(state: ScheduleState | None, snapshot: ScheduleSnapshot) -> bool:
    """Whether our engine still waits for a due time that is settled in Redis."""
    if state is None or state.next_due is None or snapshot.record.last_due_at is None:
        return False
    # Redis has milliseconds.
    return round(state.next_due * 1000) <= round(snapshot.record.last_due_at * 1000)
