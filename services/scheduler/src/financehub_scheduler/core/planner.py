"""Keeps the states of all active schedules and the queue of their next due times."""

from collections.abc import Callable

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.due_queue import DueQueue
from financehub_scheduler.core.due_runs import due_runs
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.state import NO_DUE_TIME, ScheduleState
from financehub_scheduler.redis.enqueuer import EncodedRun, encode
from financehub_scheduler.successes import with_success
from financehub_shared.core.clock import Clock
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.recurrence.diagnosis import problems as never_due
from financehub_shared.schedules import Pause
from financehub_shared.spec.predecessors import Predecessor

log = structlog.get_logger(__name__)

_EXHAUSTED = "maxRuns reached"

#: Returns why a schedule's arguments are currently refused; empty if they are valid.
ArgumentCheck = Callable[[Schedule], str]


class Planner:
    """Computes next due times and hands out the due runs.

    Args:
        clock: The clock.
        states: uid → state of each active schedule. Only the planner changes it; other components read it.
        listener: Is notified of removed schedules and changed next runs.
        check_arguments: Refuses schedules whose arguments are currently invalid.
    """

    def __init__(
        self,
        clock: Clock,
        states: dict[str, ScheduleState],
        listener: SchedulerListener,
        check_arguments: ArgumentCheck,
    ) -> None:
        self._clock = clock
        self._states = states
        self._listener = listener
        self._check_arguments = check_arguments
        self._due = DueQueue()

    def add(self, state: ScheduleState) -> None:
        """Add a schedule, or replace its state, and plan its next run."""
        before = self._states.get(state.schedule.uid)
        if before is not None and before.schedule.fingerprint == state.schedule.fingerprint:
            # Redis has only the newest success.
            state.successes, state.predecessor = before.successes, before.predecessor
        self._states[state.schedule.uid] = state
        self.plan_next(state)

    def remove(self, uid: str) -> ScheduleState | None:
        """Remove a schedule, and return its state if it was active."""
        self._due.discard(uid)
        if state := self._states.pop(uid, None):
            self._listener.schedule_removed(state.schedule)
        return state

    def is_current(self, state: ScheduleState) -> bool:
        """Whether a state is an active schedule's newest one and has been neither replaced nor removed."""
        return self._states.get(state.schedule.uid) is state

    def plan_next(self, state: ScheduleState) -> None:
        """Compute the next run after the high-water mark, and queue it."""
        schedule = state.schedule
        refused = self._check_arguments(schedule)
        if refused and refused != state.refused:
            log.error("schedule_refused", schedule=schedule.name, problem=refused)
        state.next_run, state.problem, state.refused = None, refused, refused
        self._listener.next_run_changed(schedule.uid)
        due = None if schedule.suspended or state.paused or refused else self._next_due(state)
        if due is None:
            self._due.discard(schedule.uid)
            return
        fire_at = state.timeline.enqueue_time(due)
        # The message is encoded for its planned enqueue time. In a burst, the last messages wait for the first ones,
        # and that counts as waiting time.
        state.next_run = encode(state.due_run(due), max(fire_at, self._clock.now()))
        self._due.put(schedule.uid, fire_at)

    def _next_due(self, state: ScheduleState) -> float | None:
        if state.schedule.after:
            return self._next_success(state)
        try:
            due = state.timeline.next_after(state.high_water_mark)
        except CalendarHorizonError as error:
            # The search for a line that is never due also ends where the calendar does.
            state.problem = _why_never(state.schedule) or str(error)
            # A traceback would not add anything to the problem.
            log.error("schedule_stopped", schedule=state.schedule.name, problem=state.problem)  # noqa: TRY400
            return None
        state.problem = "" if due is not None else _why_never(state.schedule) or NO_DUE_TIME
        return due

    def _next_success(self, state: ScheduleState) -> float | None:
        """Return the next due time of a follower. One that it knows stays due, whatever happens to its predecessor."""
        state.successes = tuple(due for due in state.successes if due > state.high_water_mark)
        if state.exhausted:
            state.problem = _EXHAUSTED
            return None
        state.problem = state.predecessor.problem if state.predecessor else ""
        return state.timeline.next_after(state.high_water_mark)

    def follow(self, state: ScheduleState, predecessor: Predecessor, success: float | None) -> bool:
        """Adopt what was found about the predecessor of a follower. Return whether the success is news.

        Args:
            state: The follower.
            predecessor: What is known about its predecessor.
            success: Due time that the newest success gives, Unix seconds; None if no success counts. It may be known
                or settled, or earlier than the last change.
        """
        is_idle = state.schedule.suspended or state.paused or state.exhausted
        known = state.successes
        if success is not None and success > state.high_water_mark and not is_idle:
            state.successes = with_success(known, success)
        is_new, is_changed = state.successes != known, predecessor != state.predecessor
        state.predecessor = predecessor
        # If a later success is planned, or Redis is settling it, planning again changes nothing.
        if is_new or (is_changed and state.next_run is None):
            self.plan_next(state)
        elif is_changed:
            state.problem = state.refused or predecessor.problem
            self._listener.next_run_changed(state.schedule.uid)
        return is_new

    def set_pause(self, state: ScheduleState, paused: Pause | None, resumed_at: float) -> None:
        """Pause or resume a schedule. A paused one has no next run, as if it was suspended.

        Args:
            state: The schedule.
            paused: Who paused it, why and when; None to resume it.
            resumed_at: Time of the resumption, Unix seconds. Due times before it do not run, not even those that
                waited for their jitter.
        """
        if state.paused and not paused:
            state.high_water_mark = max(state.high_water_mark, resumed_at)
            state.since, state.pending = max(state.since, resumed_at), ()
        state.paused = paused
        if paused:
            state.successes = ()
        self.plan_next(state)

    def exhaust(self, state: ScheduleState) -> None:
        """Stop a schedule, because `maxRuns` is reached."""
        state.next_run, state.problem, state.exhausted = None, _EXHAUSTED, True
        self._listener.next_run_changed(state.schedule.uid)

    def recheck_arguments(self) -> None:
        """Check all schedules' arguments again. Runs that were due during a refusal are subject to catch-up."""
        for state in self._states.values():
            if state.refused != self._check_arguments(state.schedule):
                self.plan_next(state)

    # the due queue ------------------------------------------------------------------------------------
    def pop_due(self, limit: int) -> list[tuple[ScheduleState, list[EncodedRun]]]:
        """Take up to `limit` schedules whose time has come, each with its runs; the list is empty if nothing is due."""
        while popped := self._due.pop_due(self._clock.now(), limit):
            batch = [
                (state, due_runs(state, fire_at, self._clock.now()))
                for fire_at, uid in popped
                if (state := self._states.get(uid))
            ]
            if batch:
                return batch
        return []

    def put_back(self, state: ScheduleState) -> None:
        """Queue the next run of a schedule again, because Redis has not settled it."""
        if self.is_current(state) and (at := state.next_enqueue) is not None:
            self._due.put(state.schedule.uid, at)

    def next_time(self) -> float | None:
        """Return the time of the next run to enqueue, Unix seconds; None if there is none."""
        return self._due.next_time()


def _why_never(schedule: Schedule) -> str:
    """Return why none of the lines of a schedule can ever be due, or an empty text if one of them can."""
    found = never_due(schedule.recurrence)
    return "; ".join(found) if len(found) >= len(schedule.recurrence.rules) else ""
