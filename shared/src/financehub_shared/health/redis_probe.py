"""Measures Redis at each scrape: availability, response time, clock skew, memory and persistence."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import redis
import structlog
from prometheus_client import Histogram
from prometheus_client.metrics_core import CounterMetricFamily, Metric

from financehub_shared.core.clock import Clock
from financehub_shared.metrics.families import gauge

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SERVER = ["server"]
#: Command → what is missing while Redis refuses it.
_MISSING_METRICS = {"TIME": "the clock skew has no metric", "INFO": "memory and persistence have no metrics"}


@dataclass(frozen=True, slots=True)
class _ServerState:
    """One server's reply. The clock skew and the fields are missing if it did not send them."""

    server: str
    up: bool
    skew: float | None
    info: Mapping[str, Any]


class RedisProbe:
    """Reads each server's time, and its `INFO` if `details` is set.

    Args:
        servers: Name (`queues`, `data`) → client with a short timeout and without retries.
        clock: This process's clock, which is compared with the Redis clock.
        durations: Receives the round-trip times.
        details: Whether to read `INFO` too. It is enough if one component of a release does.
    """

    def __init__(
        self, servers: Mapping[str, "redis.Redis"], clock: Clock, durations: Histogram, *, details: bool
    ) -> None:
        self._servers = servers
        self._clock = clock
        self._durations = durations
        self._details = details
        self._refused: set[tuple[str, str]] = set()

    def collect(self) -> tuple[list[Metric], bool]:
        """Return the metric families, and whether every server answered."""
        # in parallel, because the timeouts of two hung servers would add up to nearly the scrape limit
        with ThreadPoolExecutor(len(self._servers), "redis-probe") as pool:
            states = list(pool.map(self._read, self._servers))
        up = {(state.server,): float(state.up) for state in states}
        skews = {(state.server,): state.skew for state in states if state.skew is not None}
        infos = {state.server: state.info for state in states if state.info}
        families = [
            gauge("redis_up", "1 if Redis answered this process at this scrape", _SERVER, up),
            gauge("redis_clock_skew_seconds", "The clock of this process minus that of Redis", _SERVER, skews),
        ]
        return [*families, *_info_metrics(infos)] if self._details else families, all(up.values())

    def _read(self, name: str) -> _ServerState:
        client = self._servers[name]
        skew = info = None
        try:
            skew = self._unless_refused(name, "TIME", partial(self._clock_skew, name, client))
            if self._details:
                info = self._unless_refused(name, "INFO", client.info)
        except redis.RedisError:
            return _ServerState(name, up=False, skew=skew, info={})
        return _ServerState(name, up=True, skew=skew, info=info or {})

    def _clock_skew(self, name: str, client: "redis.Redis") -> float:
        wall, started = self._clock.now(), self._clock.monotonic()
        seconds, microseconds = client.time()
        duration = self._clock.monotonic() - started
        self._durations.labels(name).observe(duration)
        return wall + duration / 2 - (seconds + microseconds / 1e6)

    def _unless_refused(self, server: str, command: str, call: Callable[[], T]) -> T | None:
        """Return the reply, or None if Redis is up but does not allow this user to run the command."""
        try:
            reply = call()
        except redis.ResponseError as error:
            # logged once, not at every scrape
            if (server, command) not in self._refused:
                self._refused.add((server, command))
                log.warning(
                    "redis_command_refused",
                    server=server,
                    command=command,
                    error=str(error),
                    remedy=f"allow this user the command {command}; {_MISSING_METRICS[command]} until then",
                )
            return None
        self._refused.discard((server, command))
        return reply


def _info_metrics(infos: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    def values(field: str) -> dict[tuple[str, ...], float]:
        return {(name,): float(info[field]) for name, info in infos.items() if field in info}

    policies = {
        (name, str(info["maxmemory_policy"])): 1.0 for name, info in infos.items() if "maxmemory_policy" in info
    }
    failing = {(name,): float(_is_persistence_failing(info)) for name, info in infos.items() if "aof_enabled" in info}
    evicted = CounterMetricFamily(
        "financehub_redis_evicted_keys", "Keys that Redis has evicted since its start", labels=_SERVER
    )
    for key, value in values("evicted_keys").items():
        evicted.add_metric(key, value)
    return [
        gauge("redis_memory_used_bytes", "Memory that Redis uses", _SERVER, values("used_memory")),
        gauge("redis_memory_max_bytes", "Memory limit of Redis; 0 means no limit", _SERVER, values("maxmemory")),
        gauge("redis_eviction_policy_info", "1; the label is the policy", ["server", "policy"], policies),
        evicted,
        gauge("redis_aof_enabled", "1 if the append-only file is on", _SERVER, values("aof_enabled")),
        gauge(
            "redis_persistence_failing",
            "1 if the last write of the append-only file or the last snapshot failed",
            _SERVER,
            failing,
        ),
    ]


def _is_persistence_failing(info: Mapping[str, Any]) -> bool:
    fields = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
    return any(info.get(field, "ok") != "ok" for field in fields)
