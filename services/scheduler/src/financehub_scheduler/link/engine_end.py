"""The end of the link in the engine process: receives changes from the companion, and sends it what happens."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.health_probe import Watched
from financehub_scheduler.link.channel import Channel
from financehub_scheduler.link.intake import Intake
from financehub_scheduler.link.reports import Reports
from financehub_scheduler.link.wire import Message, Reported, Vitals, Watching
from financehub_shared.redis.server_clock import ServerClock

log = structlog.get_logger(__name__)

#: Seconds between two reports of what has happened.
REPORT_SECONDS = 0.1
#: Seconds between two messages about the engine's health.
VITALS_SECONDS = 0.5
#: Events and schedules per message, which takes the engine's loop half a millisecond.
ROWS = 100
#: While the companion has not taken this number of bytes, it is not told what happens.
_MAX_WAITING_BYTES = 1024 * 1024
#: While it has not taken this number, it is not told how the engine is either. It is larger, because a companion that
#: is only slow would hear nothing until it has caught up, and the liveness probe would say that the engine hangs.
_MAX_WAITING_BYTES_OF_VITALS = 2 * _MAX_WAITING_BYTES
#: Maximum number of measurements between two messages. A hung companion takes none.
_MAX_MEASUREMENTS = 1_000

#: Receives changes, and the problems of all refused resources by `namespace/name`.
Apply = Callable[[Changes, Mapping[str, str]], None]


class Measurements:
    """Collects durations in seconds until they are sent. Several threads may add some."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def observe(self, seconds: float) -> None:
        """Add a duration, unless nobody has taken the others for long."""
        if len(self._values) < _MAX_MEASUREMENTS:
            self._values.append(seconds)

    def take(self) -> Sequence[float]:
        """Remove and return all durations."""
        taken, self._values = self._values, []
        return taken


class _RedisState(Protocol):
    def blocked(self) -> list[str]: ...


class EngineEnd:
    """Passes what the companion sends to the engine, and sends what happens in the engine to the companion.

    It outlives companions, and exchanges messages with one after another.

    Args:
        reports: What the companion must be told.
        clock: Clock of the process, whose offset the companion adopts.
        watch: Knows why Redis cannot be used.
    """

    def __init__(self, reports: Reports, clock: ServerClock, watch: _RedisState) -> None:
        self._reports = reports
        self._clock = clock
        self._watch = watch
        self._intake = Intake()
        self._channel: Channel | None = None
        self._engine: Watched | None = None
        self._apply: Apply | None = None
        self._dropped = 0
        self.loop_lags, self.redis_seconds = Measurements(), Measurements()

    @property
    def observed_at(self) -> float:
        """Monotonic time before which the engine was told every change, in seconds."""
        return self._intake.observed_at

    def connect(self, engine: Watched, apply: Apply) -> None:
        """Set the engine, which is built later than this end.

        Args:
            engine: Its health is told.
            apply: Applies changes to it.
        """
        self._engine, self._apply = engine, apply

    # called by the supervisor -------------------------------------------------------------------------
    def begin(self, channel: Channel) -> None:
        """Begin with a new companion."""
        self._channel = channel
        self._intake.begin()
        self._reports.begin()
        self.send_vitals()

    def ended(self) -> None:
        """Stop sending."""
        self._channel = None

    def received(self, message: Message) -> None:
        """Apply what the companion has sent."""
        match message:
            case Reported():
                changes: Changes | None = self._intake.reported(message)
            case Watching():
                changes = self._intake.watching(message)
            case _:
                changes = None
        if changes is not None and self._apply is not None:
            self._apply(changes, self._intake.refused)

    # repeated steps -----------------------------------------------------------------------------------
    def send_reports(self) -> bool:
        """Send one message with what has happened, and return whether more is waiting that can be sent."""
        if self._channel is None or self._channel.waiting_bytes > _MAX_WAITING_BYTES or not self._reports.waiting:
            return False
        self._channel.send(self._reports.take(ROWS))
        return self._reports.waiting

    def send_vitals(self) -> None:
        """Send how the engine is, unless the companion takes nothing."""
        if (dropped := self._reports.dropped - self._dropped) > 0:
            consequence = "metrics and Events do not contain them; the log does"
            log.warning("companion_events_dropped", count=dropped, consequence=consequence)
            self._dropped += dropped
        if self._channel is None or self._engine is None:
            return
        if self._channel.waiting_bytes > _MAX_WAITING_BYTES_OF_VITALS:
            return
        vitals = Vitals(
            self._engine.health,
            self._engine.all_registered,
            self._clock.offset,
            self._watch.blocked(),
            self.loop_lags.take(),
            self.redis_seconds.take(),
        )
        self._channel.send(vitals)
