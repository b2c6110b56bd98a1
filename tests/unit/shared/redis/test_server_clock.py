"""The clock that shows the time of Redis."""

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.clock import ManualClock
from financehub_shared.redis.server_clock import JUMP_SECONDS, MEASURE_SECONDS, ServerClock

HOUR = 3_600.0


class Server:
    """A fake client whose TIME is that of a clock of its own.

    Args:
        local: Clock of the process, which advances during the command.
        ahead: Seconds by which the server's clock is ahead of the local one.
        delay: Seconds between request and reply.
    """

    def __init__(self, local: ManualClock, ahead: float, delay: float = 0.0) -> None:
        self._local, self._delay = local, delay
        self._offset = local.now() + ahead - local.monotonic()
        self.is_down = False
        self.calls = 0

    @property
    def now(self) -> float:
        """The server's time."""
        return self._local.monotonic() + self._offset

    def time(self) -> tuple[int, int]:
        self.calls += 1
        if self.is_down:
            raise redis.ConnectionError("down")
        self._local.advance(self._delay / 2)
        seconds, rest = divmod(self.now, 1)
        self._local.advance(self._delay / 2)
        return int(seconds), int(rest * 1e6)


def test_clock_before_the_first_measurement_is_local() -> None:
    """A process that has not reached Redis yet uses its own clock."""
    local = ManualClock()
    clock = ServerClock(local)
    assert (clock.now(), clock.skew(), clock.is_due) == (local.now(), None, True)


@given(
    ahead=st.floats(-1e6, 1e6),
    delay=st.floats(0, 2),
    steps=st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e5, 1e5)), max_size=5),
)
def test_clock_shows_the_time_of_redis_however_the_local_clock_is_set(
    ahead: float, delay: float, steps: list[tuple[float, float]]
) -> None:
    """After one measurement, setting the local clock changes the skew but not the time."""
    local = ManualClock()
    server, clock = Server(local, ahead, delay), ServerClock(local)
    clock.measure(server)  # type: ignore[arg-type]
    for passed, step in steps:
        local.advance(passed)
        local.set_wall(local.now() + step)
        assert clock.now() == pytest.approx(server.now, abs=0.001)
        assert clock.skew() == pytest.approx(local.now() - server.now, abs=0.001)


def test_clock_is_due_after_a_minute_and_after_a_jump() -> None:
    """The difference is measured once a minute, and at once if the wall clock was set or the machine slept."""
    local = ManualClock()
    server, clock = Server(local, 0), ServerClock(local)
    clock.measure_if_due(server)  # type: ignore[arg-type]
    assert not clock.is_due
    local.advance(MEASURE_SECONDS)
    assert clock.is_due
    clock.measure_if_due(server)  # type: ignore[arg-type]
    local.set_wall(local.now() + HOUR)
    assert clock.is_due


def test_clock_follows_a_server_whose_clock_was_set() -> None:
    """After a failover to a server with another clock, the next measurement adopts the time of that server."""
    local = ManualClock()
    clock = ServerClock(local)
    clock.measure(Server(local, 0))  # type: ignore[arg-type]
    other = Server(local, HOUR)
    clock.measure(other)  # type: ignore[arg-type]
    assert clock.now() == pytest.approx(other.now, abs=0.001)


def test_clock_during_an_outage_keeps_its_last_measurement() -> None:
    """While Redis does not answer, the time continues with the monotonic clock."""
    local = ManualClock()
    server, clock = Server(local, HOUR), ServerClock(local)
    clock.measure(server)  # type: ignore[arg-type]
    server.is_down = True
    local.advance(600)
    local.set_wall(0)
    clock.measure_if_due(server)  # type: ignore[arg-type]
    assert clock.now() == pytest.approx(server.now, abs=0.001)


def test_clock_after_an_error_waits_before_the_next_attempt() -> None:
    """While Redis hangs or denies TIME, one caller in a minute pays for it, and the measurement follows afterwards."""
    local = ManualClock()
    server, clock = Server(local, HOUR), ServerClock(local)
    server.is_down = True
    for _ in range(10):
        clock.measure_if_due(server)  # type: ignore[arg-type]
        local.advance(1)
    assert server.calls == 1
    server.is_down = False
    local.advance(MEASURE_SECONDS)
    clock.measure_if_due(server)  # type: ignore[arg-type]
    assert server.calls == 2
    assert clock.now() == pytest.approx(server.now, abs=0.001)


@given(jump=st.floats(-1e6, 1e6), delay=st.floats(0, 2))
def test_should_measure_only_if_the_clock_of_redis_was_set(jump: float, delay: float) -> None:
    """A jump of Redis's clock that a slow reply cannot explain needs a measurement, and a slow reply alone does not."""
    local = ManualClock()
    server, clock = Server(local, 0.0), ServerClock(local)
    clock.measure(server)  # type: ignore[arg-type]
    assert not clock.should_measure(delay / 2, delay)
    if abs(jump) > JUMP_SECONDS + delay:
        assert clock.should_measure(-jump, delay)


def test_clock_that_adopts_a_measurement_shows_the_same_time() -> None:
    """A companion process shows the time of Redis that the engine process has measured, and need not measure it."""
    local = ManualClock(1_000.0)
    measured, adopting = ServerClock(local), ServerClock(local)
    assert measured.offset is None
    measured.adopt(local.now() - local.monotonic() + 30.0)
    adopting.adopt(measured.offset)
    assert adopting.now() == measured.now() == pytest.approx(local.now() + 30.0)
    assert adopting.skew() == pytest.approx(-30.0)
    assert not adopting.is_due
    adopting.adopt(None)
    assert (adopting.now(), adopting.skew()) == (local.now(), None)
