"""The probe of Redis on answers that a healthy server does not give."""

from collections.abc import Mapping
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.health.redis_probe import RedisProbe
from financehub_shared.metrics import Metrics

WELL = {
    "used_memory": 1_000,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "evicted_keys": 0,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok",
}


class Server:
    """What redis-py answers with: the time after some seconds of waiting, and INFO.

    Args:
        clock: moves while the answer is waited for.
        takes: seconds from question to answer.
        ahead: seconds by which this server's clock is ahead of ours.
        info: the fields, or what is raised.
    """

    def __init__(
        self,
        clock: ManualClock,
        *,
        takes: float = 0.0,
        ahead: float = 0.0,
        info: Mapping[str, Any] | Exception = WELL,
    ) -> None:
        self._clock, self._takes, self._ahead, self._info = clock, takes, ahead, info

    def time(self) -> tuple[int, int]:
        self._clock.advance(self._takes / 2)
        seconds, rest = divmod(self._clock.now() + self._ahead, 1)
        self._clock.advance(self._takes / 2)
        return int(seconds), int(rest * 1e6)

    def info(self) -> Mapping[str, Any]:
        if isinstance(self._info, Exception):
            raise self._info
        return self._info


def look(clock: ManualClock, metrics: Metrics, **servers: Server) -> tuple[dict[str, float], bool]:
    """Family and labels → value, and whether every server answered."""
    families, answered = RedisProbe(servers, clock, metrics.redis_command_duration, details=True).look()  # type: ignore[arg-type]
    seen = {
        f"{family.name.removeprefix('financehub_')}{sorted(one.labels.values())}": one.value
        for family in families
        for one in family.samples
    }
    return seen, answered


@pytest.mark.parametrize("field", ["aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"])
def test_persistence_fails_when_any_of_its_three_states_says_so(field: str) -> None:
    """One state that is not `ok` is enough; with all three well the series is 0."""
    clock = ManualClock()
    failing = look(clock, Metrics("x"), queues=Server(clock, info={**WELL, field: "err"}), data=Server(clock))[0]
    assert failing["redis_persistence_failing['queues']"] == 1
    assert failing["redis_persistence_failing['data']"] == 0


def test_a_server_that_hangs_between_two_answers_is_down() -> None:
    """A timeout of INFO after TIME was answered counts as Redis away, and nobody is told to allow INFO."""
    clock = ManualClock()
    with capture_logs() as logs:
        seen, answered = look(
            clock, Metrics("x"), queues=Server(clock, info=redis.TimeoutError("hung")), data=Server(clock)
        )
    assert not answered
    assert seen["redis_up['queues']"] == 0
    assert seen["redis_up['data']"] == 1
    assert "redis_memory_used_bytes['queues']" not in seen
    assert logs == []


@pytest.mark.parametrize("ahead", [-3.0, 0.0, 3.0])
def test_the_round_trip_is_no_skew(ahead: float) -> None:
    """Half of the round trip is taken off; the sign says whose clock is ahead: positive is ours."""
    clock, metrics = ManualClock(), Metrics("x")
    seen, answered = look(clock, metrics, queues=Server(clock, takes=0.5, ahead=ahead))
    assert answered
    assert seen["redis_clock_skew_seconds['queues']"] == pytest.approx(-ahead, abs=0.001)
    assert metrics.registry.get_sample_value(
        "financehub_redis_command_duration_seconds_sum", {"server": "queues"}
    ) == pytest.approx(0.5)


def test_a_field_that_this_server_does_not_have_has_no_series() -> None:
    """A service that leaves out fields of INFO has the series of the others."""
    clock = ManualClock()
    seen, answered = look(clock, Metrics("x"), queues=Server(clock, info={"used_memory": 5}))
    assert answered
    assert {name for name in seen if not name.startswith(("redis_up", "redis_clock_skew"))} == {
        "redis_memory_used_bytes['queues']"
    }
