"""The companion's copy of the states that the engine keeps, for statuses, metrics and health reports."""

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.link.wire import StateRow, version_of
from financehub_scheduler.redis.enqueuer import EncodedRun, RunSubmission


class Mirror:
    """Joins in the companion the states that the engine sends with the schedules that the watch has delivered.

    The engine does not send schedules back. A state waits until the watch has delivered the schedule that it is about,
    which happens if this companion has just started.
    """

    def __init__(self) -> None:
        #: uid → state of each active schedule, as `Engine.states`.
        self.states: dict[str, ScheduleState] = {}
        #: uid → newest schedule that the watch has delivered.
        self._compiled: dict[str, Schedule] = {}
        #: uid → state without its schedule.
        self._waiting: dict[str, StateRow] = {}

    def compiled(self, schedule: Schedule) -> bool:
        """Take a schedule that the watch has delivered, and return whether that completes a state."""
        self._compiled[schedule.uid] = schedule
        row = self._waiting.get(schedule.uid)
        return row is not None and self.apply(row)

    def forget(self, uid: str) -> None:
        """Forget the schedule of a resource that was deleted or is refused. The engine says when its state ends."""
        self._compiled.pop(uid, None)

    def apply(self, row: StateRow) -> bool:
        """Adopt a state, and return whether its schedule is known."""
        schedule = self._schedule_of(row)
        if schedule is None:
            self._waiting[row.uid] = row
            return False
        self._waiting.pop(row.uid, None)
        self.states[row.uid] = _state(schedule, row)
        return True

    def remove(self, uid: str) -> Schedule | None:
        """Remove a state that the engine has dropped, and return its schedule if it was known."""
        self._waiting.pop(uid, None)
        state = self.states.pop(uid, None)
        return state.schedule if state else None

    def _schedule_of(self, row: StateRow) -> Schedule | None:
        # The engine may still have the state before an edit.
        state = self.states.get(row.uid)
        for schedule in (self._compiled.get(row.uid), state.schedule if state else None):
            if schedule is not None and version_of(schedule) == row.version:
                return schedule
        return None


def _state(schedule: Schedule, row: StateRow) -> ScheduleState:
    next_run = None
    if row.next_due is not None:
        # Nobody sends it from here, so it has no encoded fields.
        run = RunSubmission(schedule, "due", row.next_due, enqueue_at=row.next_enqueue)
        next_run = EncodedRun(run, "", 0)
    return ScheduleState(
        schedule,
        row.high_water_mark,
        next_run,
        row.problem,
        row.refused,
        row.paused,
        row.superseded_at,
        row.since,
        row.pending,
        predecessor=row.predecessor,
        successes=row.successes,
    )
