"""Keeps the states of all active schedules and the queue of their next due times."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.due_queue import DueQueue
from financehub_scheduler.core.due_runs import due_runs
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import NO_DUE_TIME, ScheduleState
from financehub_scheduler.redis.edits import fingerprint_hash
from financehub_scheduler.redis.enqueuer import AHEAD_LIMIT_SECONDS, EncodedRun, encode
from financehub_scheduler.successes import with_success
from financehub_shared.core.clock import Clock
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.recurrence.diagnosis import problems as never_due
from financehub_shared.schedules import Pause
from financehub_shared.spec.predecessors import Predecessor

log = structlog.get_logger(__name__)

_EXHAUSTED = "maxRuns reached"
#: Maximum number of earlier specs that are remembered per schedule.
_MAX_REPLACED = 5

#: Returns why a schedule's arguments are currently refused; empty if they are valid.
ArgumentCheck = Callable[[Schedule], str]


@dataclass(frozen=True, slots=True)
class OthersRun:
    """A due run whose owner is another scheduler.

    Args:
        state: The schedule.
        run: Its next run.
        fire_at: Time at which it should have been enqueued, Unix seconds.
    """

    state: ScheduleState
    run: EncodedRun
    fire_at: float


@dataclass(frozen=True, slots=True)
class DueBatch:
    """The schedules whose time has come.

    Args:
        own: The schedules to submit, each with its runs.
        others: The runs that their owners should have settled by now.
    """

    own: list[tuple[ScheduleState, list[EncodedRun]]] = field(default_factory=list)
    others: list[OthersRun] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.own) + len(self.others)


class Planner:
    """Computes next due times and hands out the due runs.

    Args:
        clock: The clock.
        states: uid → state of each active schedule. Only the planner changes it; other components read it.
        listener: Is notified of removed schedules and changed next runs.
        check_arguments: Refuses schedules whose arguments are currently invalid.
        shares: Decides for which schedules this scheduler waits for another one; None if there is no other one.
    """

    def __init__(
        self,
        clock: Clock,
        states: dict[str, ScheduleState],
        listener: SchedulerListener,
        check_arguments: ArgumentCheck,
        shares: Shares | None = None,
    ) -> None:
        self._clock = clock
        self._states = states
        self._listener = listener
        self._check_arguments = check_arguments
        self._shares = shares or Shares(clock)
        self._due = DueQueue()
        #: uid → enqueue time (Unix seconds) of each run that waits for its owner. The due queue has the later time at
        #: which the run is looked at.
        self._waiting: dict[str, float] = {}

    def add(self, state: ScheduleState) -> None:
        """Add a schedule, or replace its state, and plan its next run."""
        if before := self._states.get(state.schedule.uid):
            _remember(before, state, self._clock.now() + AHEAD_LIMIT_SECONDS)
        self._states[state.schedule.uid] = state
        self.plan_next(state)

    def remove(self, uid: str) -> ScheduleState | None:
        """Remove a schedule, and return its state if it was active."""
        self._discard(uid)
        self._shares.forget(uid)
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
            self._discard(schedule.uid)
            return
        fire_at = state.timeline.enqueue_time(due)
        # The message is encoded for its planned enqueue time. In a burst, the last messages wait for the first ones,
        # and that counts as waiting time.
        state.next_run = encode(state.due_run(due), max(fire_at, self._clock.now()))
        self._put(schedule.uid, fire_at)

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
    def pop_due(self, limit: int) -> DueBatch:
        """Take up to `limit` schedules whose time has come; the batch is empty if there is nothing to do now.

        A run of another scheduler's share is taken twice: at its enqueue time, only to wait, and when its owner should
        have settled it.
        """
        batch, now = DueBatch(), self._clock.now()
        while len(batch) < limit and (popped := self._due.pop_due(now, limit - len(batch))):
            for at, uid in popped:
                fire_at = self._waiting.pop(uid, at)
                if (state := self._states.get(uid)) is None or state.next_run is None:
                    continue
                wait = self._shares.wait_seconds(state.schedule)
                if wait is None:
                    batch.own.append((state, due_runs(state, fire_at, now)))
                elif now < fire_at + wait:
                    self._waiting[uid] = fire_at
                    self._due.put(uid, fire_at + wait)
                else:
                    batch.others.append(OthersRun(state, state.next_run, fire_at))
        return batch

    def runs_of(self, state: ScheduleState, fire_at: float) -> list[EncodedRun]:
        """Return the runs to enqueue now for a schedule.

        Args:
            state: The schedule.
            fire_at: Time at which its next run should have been enqueued, Unix seconds.
        """
        return due_runs(state, fire_at, self._clock.now())

    def put_back(self, state: ScheduleState) -> None:
        """Queue the next run of a schedule again, because Redis has not settled it."""
        if self.is_current(state) and (at := state.next_enqueue) is not None:
            self._put(state.schedule.uid, at)

    def _put(self, uid: str, at: float) -> None:
        self._waiting.pop(uid, None)
        self._due.put(uid, at)

    def _discard(self, uid: str) -> None:
        self._waiting.pop(uid, None)
        self._due.discard(uid)

    def next_time(self) -> float | None:
        """Return the time of the next run to enqueue or to look at, Unix seconds; None if there is none."""
        return self._due.next_time()


def _remember(before: ScheduleState, state: ScheduleState, latest: float) -> None:
    """Add to a new state of a schedule what Redis does not know, or not any more.

    Args:
        before: The state until now.
        state: The new state.
        latest: A mark of a schedule that was created again is right up to this time, Unix seconds. A later one would
            stop the schedule until then.
    """
    if before.schedule.fingerprint == state.schedule.fingerprint:
        # Redis has only the newest success.
        state.successes, state.predecessor = before.successes, before.predecessor
    # Without repetitions, in their order.
    replaced = dict.fromkeys((*before.replaced, fingerprint_hash(before.schedule.fingerprint), *state.replaced))
    replaced.pop(fingerprint_hash(state.schedule.fingerprint), None)
    state.replaced = tuple(replaced)[-_MAX_REPLACED:]
    if before.created_at == state.created_at or before.high_water_mark <= latest:
        # A replica that became the master may not know what was settled a moment before. After a loss of data, another
        # scheduler may have created the schedule again first, with an older mark.
        state.high_water_mark = max(state.high_water_mark, before.high_water_mark)


def _why_never(schedule: Schedule) -> str:
    """Return why none of the lines of a schedule can ever be due, or an empty text if one of them can."""
    found = never_due(schedule.recurrence)
    return "; ".join(found) if len(found) >= len(schedule.recurrence.rules) else ""
