"""Collects in the engine process what is to be sent to the companion, without ever waiting for it.

A state is sent as it is at the time of sending, so a slow companion gets fewer of them. Events are kept up to a limit.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.link.wire import BackfillRow, EventRow, Happened, RunRow, StateRow, TakeoverRow, version_of
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission

#: Maximum number of events that wait for the companion, which take 15 MB. A companion that starts again takes seconds,
#: and each event is one log line of the engine, which is not lost.
MAX_EVENTS = 50_000


class Reports(SchedulerListener):
    """Listens to the engine and to the on-demand runs, and makes the messages `Happened` that `EngineEnd` sends.

    Args:
        states: uid → state of each active schedule.
        max_events: Maximum number of events that wait.
    """

    def __init__(self, states: Mapping[str, ScheduleState], max_events: int = MAX_EVENTS) -> None:
        self._states = states
        self._max_events = max_events
        self._events: deque[EventRow] = deque()
        #: Ordered sets of uids.
        self._changed: dict[str, None] = {}
        self._registered: set[str] = set()
        #: Number of events that were dropped since the start.
        self.dropped = 0

    def begin(self) -> None:
        """Prepare for a new companion, which needs all states. What its predecessor has not read is lost."""
        self._changed.update(dict.fromkeys(self._states))

    @property
    def waiting(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._events or self._changed)

    # events of the engine -----------------------------------------------------------------------------
    def schedule_registered(self, schedule: Schedule) -> None:
        self._registered.add(schedule.uid)
        self._changed[schedule.uid] = None

    def schedule_removed(self, schedule: Schedule) -> None:
        self._registered.discard(schedule.uid)
        self._changed[schedule.uid] = None

    def schedule_superseded(self, schedule: Schedule) -> None:
        self._changed[schedule.uid] = None

    def next_run_changed(self, uid: str) -> None:
        self._changed[uid] = None

    def run_answered(self, run: RunSubmission, outcome: EnqueueOutcome, at: float) -> None:
        # Another scheduler has enqueued the run and reports it.
        if outcome is not EnqueueOutcome.ALREADY:
            uid, kind, due, fence = run.schedule.uid, run.kind, run.due, run.fence
            self._add(RunRow(uid, kind, due, fence, run.missed, run.enqueue_at, run.refused, outcome.value, at))
            self._end_wait(uid)

    def runs_taken_over(self, schedules: Sequence[Schedule]) -> None:
        self._add(TakeoverRow(tuple(schedule.uid for schedule in schedules)))

    def backfill_changed(self, uid: str, state: str, message: str) -> None:
        self._add(BackfillRow(uid, state, message))
        self._end_wait(uid)

    def _end_wait(self, uid: str) -> None:
        """If a schedule was deleted meanwhile, let the companion, which may not know it, not wait for its state."""
        if uid not in self._states:
            self._changed[uid] = None

    def _add(self, event: EventRow) -> None:
        if len(self._events) >= self._max_events:
            self._events.popleft()
            self.dropped += 1
        self._events.append(event)

    # --------------------------------------------------------------------------------------------------
    def take(self, limit: int) -> Happened:
        """Remove and return what is to be told next.

        Args:
            limit: Maximum number of events, and of schedules.
        """
        events = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
        if self._events:
            # A state must not overtake the events before it, which refer to schedules that may be gone afterward.
            return Happened(events, (), (), ())
        uids = list(islice(self._changed, limit))
        states, registered, removed = [], [], []
        for uid in uids:
            del self._changed[uid]
            if (state := self._states.get(uid)) is None:
                removed.append(uid)
                continue
            states.append(_row(state))
            if uid in self._registered:
                self._registered.discard(uid)
                registered.append(uid)
        return Happened(events, states, registered, removed)


def _row(state: ScheduleState) -> StateRow:
    schedule = state.schedule
    return StateRow(
        schedule.uid,
        version_of(schedule),
        state.high_water_mark,
        state.since,
        state.next_due,
        state.next_enqueue,
        state.problem,
        state.refused,
        state.paused,
        state.superseded_at,
        state.pending,
        state.predecessor,
        state.successes,
    )
