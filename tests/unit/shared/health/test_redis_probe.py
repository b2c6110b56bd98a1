"""The Redis probe with replies that a healthy server does not send."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Self

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.health.redis_probe import RedisProbe
from financehub_shared.metrics import Metrics
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.key_types import ASIDE_NAMES

HEALTHY = {
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
    """A fake client whose server replies to a pipeline of TIME, SET, EVALSHA, EXISTS and INFO after a delay.

    Args:
        clock: Clock that advances during the delay.
        delay: Seconds between request and reply.
        ahead: Seconds by which the server's clock is ahead of ours.
        info: The fields of the INFO reply, or the error with which the pipeline ends.
    """

    def __init__(
        self,
        clock: ManualClock,
        *,
        delay: float = 0.0,
        ahead: float = 0.0,
        info: Mapping[str, Any] | Exception = HEALTHY,
    ) -> None:
        self._clock, self._delay, self._ahead, self._info = clock, delay, ahead, info
        self._exists: list[int] = []

        self.connection_pool = SimpleNamespace(connection_kwargs={})

    def pipeline(self, *, transaction: bool) -> "Server":
        assert not transaction
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def time(self) -> None:
        """Queue TIME."""

    def set(self, key: str, value: str, *, ex: int) -> None:
        """Queue SET."""
        assert key == keys.WRITE_PROBE
        assert ex > 0

    def evalsha(self, sha: str, key_count: int) -> None:
        """Queue EVALSHA."""

    def exists(self, key: str) -> None:
        """Queue EXISTS, which only the queue Redis is asked."""
        assert key == queue_keys.HEARTBEATS
        self._exists = [0]

    def info(self) -> None:
        """Queue INFO."""

    def eval(self, script: str, key_count: int, key: str) -> None:
        """Queue the count of the keys that were set aside."""
        assert key == ASIDE_NAMES

    def execute(self, *, raise_on_error: bool) -> list[Any]:
        assert not raise_on_error
        if isinstance(self._info, Exception):
            raise self._info
        self._clock.advance(self._delay / 2)
        seconds, rest = divmod(self._clock.now() + self._ahead, 1)
        self._clock.advance(self._delay / 2)
        no_script = redis.exceptions.NoScriptError("No matching script")
        exists, self._exists = self._exists, []
        return [(int(seconds), int(rest * 1e6)), True, no_script, *exists, self._info, 0]


def probe(clock: ManualClock, metrics: Metrics, **servers: Server) -> tuple[dict[str, float], bool]:
    """Return family and labels → value, and whether every server replied."""
    families, answered = RedisProbe(servers, clock, metrics.redis_command_duration, details=True).collect()  # type: ignore[arg-type]
    values = {
        f"{family.name.removeprefix('financehub_')}{sorted(sample.labels.values())}": sample.value
        for family in families
        for sample in family.samples
    }
    return values, answered


@pytest.mark.parametrize("field", ["aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"])
def test_persistence_metric_with_one_failed_field_is_1(field: str) -> None:
    """The metric is 1 if any of the three INFO fields is not `ok`, and otherwise 0."""
    clock = ManualClock()
    failing = probe(clock, Metrics("x"), queues=Server(clock, info={**HEALTHY, field: "err"}), data=Server(clock))[0]
    assert failing["redis_persistence_failing['queues']"] == 1
    assert failing["redis_persistence_failing['data']"] == 0


def test_server_that_hangs_is_down() -> None:
    """A timeout means that Redis is unavailable, and the probe logs nothing, because the watch of the process does."""
    clock = ManualClock()
    with capture_logs() as logs:
        values, answered = probe(
            clock, Metrics("x"), queues=Server(clock, info=redis.TimeoutError("hung")), data=Server(clock)
        )
    assert not answered
    assert values["redis_up['queues']"] == 0
    assert values["redis_up['data']"] == 1
    assert "redis_memory_used_bytes['queues']" not in values
    assert logs == []


@pytest.mark.parametrize("ahead", [-3.0, 0.0, 3.0])
def test_clock_skew_excludes_round_trip(ahead: float) -> None:
    """Half of the round trip is subtracted, and the skew is positive if our clock is ahead."""
    clock, metrics = ManualClock(), Metrics("x")
    values, answered = probe(clock, metrics, queues=Server(clock, delay=0.5, ahead=ahead))
    assert answered
    assert values["redis_clock_skew_seconds['queues']"] == pytest.approx(-ahead, abs=0.001)
    assert metrics.registry.get_sample_value(
        "financehub_redis_command_duration_seconds_sum", {"server": "queues"}
    ) == pytest.approx(0.5)


def test_missing_field_of_info_has_no_series() -> None:
    """A server that omits INFO fields has series for the other fields only."""
    clock = ManualClock()
    values, answered = probe(clock, Metrics("x"), queues=Server(clock, info={"used_memory": 5}))
    assert answered
    assert {name for name in values if not name.startswith(("redis_up", "redis_clock_skew", "redis_problem["))} == {
        "redis_memory_used_bytes['queues']"
    }
