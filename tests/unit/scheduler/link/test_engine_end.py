"""Tests of what the engine tells a companion that is slow or hangs."""

from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.link.engine_end import EngineEnd
from financehub_scheduler.link.reports import Reports
from financehub_scheduler.link.wire import Message, Vitals, encode
from financehub_shared.core.clock import SystemClock
from financehub_shared.redis.server_clock import ServerClock


class Redis:
    """A Redis that can be used."""

    def blocked(self) -> list[str]:
        return []


class Engine:
    """An engine that works."""

    health = LoopHealth(0.0, 0.0)
    all_registered = True

    def due_lag(self) -> float:
        return 0.0


class Channel:
    """The engine's end of the socket to a companion that takes a number of bytes at a time."""

    def __init__(self) -> None:
        self._frames: list[tuple[Message, int]] = []
        self.waiting_bytes = 0
        self.vitals = 0

    def send(self, message: Message) -> None:
        size = len(encode(message))
        self._frames.append((message, size))
        self.waiting_bytes += size

    def take(self, size: int) -> None:
        """Let the companion take messages."""
        while self._frames and size > 0:
            message, taken = self._frames.pop(0)
            size -= taken
            self.waiting_bytes -= taken
            self.vitals += isinstance(message, Vitals)


def busy_end(channel: Channel) -> EngineEnd:
    """Return the end of an engine with so many events that they fill a link for long."""
    reports = Reports({}, max_events=1_000_000)
    for number in range(20_000):
        reports.backfill_changed(f"uid-{number}", "started", f"{number:0200}")
    end = EngineEnd(reports, ServerClock(SystemClock()), Redis())
    end.connect(Engine(), lambda _changes, _refused: None)
    end.begin(channel)  # type: ignore[arg-type]
    return end


def test_slow_companion_hears_how_the_engine_is() -> None:
    """A companion that has not caught up for a minute must not believe that the engine hangs."""
    channel = Channel()
    end = busy_end(channel)
    for _ in range(15):
        while end.send_reports():
            pass
        end.send_vitals()
        channel.take(150_000)
    assert end.send_reports()
    assert channel.vitals > 3


def test_hung_companion_costs_a_limited_number_of_bytes() -> None:
    """A companion that takes nothing is told nothing more."""
    channel = Channel()
    end = busy_end(channel)
    for _ in range(8_000):
        end.send_reports()
        end.send_vitals()
    assert channel.waiting_bytes < 2.5 * 1024 * 1024
