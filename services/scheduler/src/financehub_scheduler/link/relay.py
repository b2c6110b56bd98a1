"""Receives in the companion what the engine process sends, and tells the companion's listeners."""

from collections.abc import Sequence
from typing import Protocol

import structlog

from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.next_runs import NextRunObserver
from financehub_scheduler.link.mirror import Mirror
from financehub_scheduler.link.wire import BackfillRow, EventRow, Happened, TakeoverRow, Vitals
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission
from financehub_shared.redis.server_clock import ServerClock

log = structlog.get_logger(__name__)

#: Maximum number of events that wait until their schedules are known, which take 15 MB. An API server that does not
#: answer keeps them waiting.
MAX_HELD = 50_000


class Durations(Protocol):
    """A histogram of durations in seconds."""

    def observe(self, amount: float) -> None: ...


class Relay:
    """Applies the messages `Happened` of the engine process to the mirror, and forwards them to the listeners.

    Args:
        mirror: The copy of the engine's states.
        listener: Is notified as if it listened to the engine.
        next_runs: Is told the next run of each schedule.
        max_held: Maximum number of events that wait until their schedules are known. Further ones are ignored.
    """

    def __init__(
        self, mirror: Mirror, listener: SchedulerListener, next_runs: NextRunObserver, max_held: int = MAX_HELD
    ) -> None:
        self._mirror = mirror
        self._listener = listener
        self._next_runs = next_runs
        self._max_held = max_held
        #: uid of a schedule whose state is not known yet → what has happened to it. A run may follow its registration
        #: at once, and a companion that has just started gets what has happened while there was none.
        self._held: dict[str, list[EventRow]] = {}
        #: Number of events that wait.
        self.held = 0
        self._is_full = False

    def happened(self, message: Happened) -> None:
        """Process what has happened in the engine."""
        for event in message.events:
            self._tell(event)
        for row in message.states:
            if self._mirror.apply(row):
                self.state_changed(row.uid)
        for uid in message.registered:
            if state := self._mirror.states.get(uid):
                self._listener.schedule_registered(state.schedule)
        for uid in message.removed:
            for event in self._release(uid):
                if isinstance(event, BackfillRow):
                    # Its resource may exist, although it is refused.
                    self._listener.backfill_changed(*event)
            if schedule := self._mirror.remove(uid):
                self._listener.schedule_removed(schedule)

    def state_changed(self, uid: str) -> None:
        """Tell the listeners that the state of a schedule has changed."""
        for event in self._release(uid):
            self._tell(event)
        state = self._mirror.states[uid]
        self._next_runs.next_run_published(state.schedule.name, state.next_enqueue)
        self._listener.next_run_changed(uid)

    def _tell(self, event: EventRow) -> None:
        if isinstance(event, TakeoverRow):
            known = [state.schedule for uid in event.uids if (state := self._mirror.states.get(uid))]
            if known:
                self._listener.runs_taken_over(known)
            for uid in event.uids:
                if uid not in self._mirror.states:
                    self._hold(uid, TakeoverRow((uid,)))
            return
        if (state := self._mirror.states.get(event.uid)) is None:
            self._hold(event.uid, event)
            return
        if isinstance(event, BackfillRow):
            self._listener.backfill_changed(*event)
            return
        run = RunSubmission(
            state.schedule,
            event.kind,
            event.due,
            event.fence,
            event.missed,
            enqueue_at=event.enqueue_at,
            refused=event.refused,
        )
        self._listener.run_answered(run, EnqueueOutcome(event.outcome), event.at)

    def _hold(self, uid: str, event: EventRow) -> None:
        if self.held < self._max_held:
            self._held.setdefault(uid, []).append(event)
            self.held += 1
        elif not self._is_full:
            self._is_full = True
            consequence = "metrics and Events do not contain the next ones; the log does"
            log.warning("companion_events_held", count=self.held, consequence=consequence)

    def _release(self, uid: str) -> Sequence[EventRow]:
        events = self._held.pop(uid, [])
        self.held -= len(events)
        self._is_full = self._is_full and not events
        return events


class EngineVitals:
    """What the companion knows about the engine: the part that `HealthProbe` reads, and the time of Redis.

    Args:
        clock: Clock of the companion, which shows the time of Redis as soon as the engine does.
        loop_lags: Receives the delays of the engine's event loop.
        redis_seconds: Receives the durations of the engine's heartbeats.
    """

    def __init__(self, clock: ServerClock, loop_lags: Durations, redis_seconds: Durations) -> None:
        self._clock = clock
        self._loop_lags = loop_lags
        self._redis_seconds = redis_seconds
        self.health = LoopHealth(clock.monotonic(), clock.monotonic())
        self.all_registered = False
        self._blocked: Sequence[str] = ()

    def adopt(self, message: Vitals) -> None:
        """Adopt what the engine has sent."""
        self.health, self.all_registered = message.health, message.all_registered
        self._blocked = message.blocked
        self._clock.adopt(message.clock_offset)
        for seconds in message.loop_lags:
            self._loop_lags.observe(seconds)
        for seconds in message.redis_seconds:
            self._redis_seconds.observe(seconds)

    def due_lag(self) -> float:
        """Return for how many seconds the earliest due run has been waiting; 0 if nothing is late."""
        earliest = self.health.earliest_due
        return max(0.0, self._clock.now() - earliest) if earliest is not None else 0.0

    def blocked(self) -> list[str]:
        """Return why Redis cannot be used now, one sentence per server."""
        return list(self._blocked)
