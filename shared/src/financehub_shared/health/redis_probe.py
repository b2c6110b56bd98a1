"""What a process measures of Redis at a scrape: whether it answers, how fast, its clock, and how full it is."""

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
#: Command → the metrics that are missing while Redis refuses it.
_LOST = {"TIME": "the clock skew has no metric", "INFO": "memory and persistence have no metrics"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one server answered; skew and fields are missing if it did not."""

    server: str
    up: bool
    skew: float | None
    info: Mapping[str, Any]


class RedisProbe:
    """Asks each server for its time, and for its `INFO` if `details` is set.

    Args:
        servers: name (`queues`, `data`) → client with a short timeout and no retries.
        clock: this process's clock, which is compared with that of Redis.
        durations: where the round trips are observed.
        details: whether to read `INFO` too; one component of a release is enough.
    """

    def __init__(
        self, servers: Mapping[str, "redis.Redis"], clock: Clock, durations: Histogram, *, details: bool
    ) -> None:
        self._servers = servers
        self._clock = clock
        self._durations = durations
        self._details = details
        self._refused: set[tuple[str, str]] = set()

    def look(self) -> tuple[list[Metric], bool]:
        """The families, and whether every server answered."""
        # in parallel: the timeouts of two servers that hang would add up to nearly the time that a scrape may take
        with ThreadPoolExecutor(len(self._servers), "redis-probe") as pool:
            seen = list(pool.map(self._ask, self._servers))
        up = {(one.server,): float(one.up) for one in seen}
        skews = {(one.server,): one.skew for one in seen if one.skew is not None}
        infos = {one.server: one.info for one in seen if one.info}
        families = [
            gauge("redis_up", "1 when Redis answered this process at this scrape", _SERVER, up),
            gauge("redis_clock_skew_seconds", "The clock of this process minus that of Redis", _SERVER, skews),
        ]
        return [*families, *_details(infos)] if self._details else families, all(up.values())

    def _ask(self, name: str) -> "_Seen":
        client = self._servers[name]
        skew = info = None
        try:
            skew = self._allowed(name, "TIME", partial(self._skew, name, client))
            if self._details:
                info = self._allowed(name, "INFO", client.info)
        except redis.RedisError:
            return _Seen(name, up=False, skew=skew, info={})
        return _Seen(name, up=True, skew=skew, info=info or {})

    def _skew(self, name: str, client: "redis.Redis") -> float:
        started, began = self._clock.now(), self._clock.monotonic()
        seconds, microseconds = client.time()
        took = self._clock.monotonic() - began
        self._durations.labels(name).observe(took)
        return started + took / 2 - (seconds + microseconds / 1e6)

    def _allowed(self, server: str, command: str, ask: Callable[[], T]) -> T | None:
        """The answer, or None if Redis refuses the command for this user, in which case it is still up."""
        try:
            answer = ask()
        except redis.ResponseError as error:
            # once, not at every scrape
            if (server, command) not in self._refused:
                self._refused.add((server, command))
                log.warning(
                    "redis_command_refused",
                    server=server,
                    command=command,
                    error=str(error),
                    remedy=f"allow this user the command {command}; {_LOST[command]} until then",
                )
            return None
        self._refused.discard((server, command))
        return answer


def _details(infos: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    def values(field: str) -> dict[tuple[str, ...], float]:
        return {(name,): float(info[field]) for name, info in infos.items() if field in info}

    policies = {
        (name, str(info["maxmemory_policy"])): 1.0 for name, info in infos.items() if "maxmemory_policy" in info
    }
    failing = {(name,): float(_is_failing(info)) for name, info in infos.items() if "aof_enabled" in info}
    evicted = CounterMetricFamily(
        "financehub_redis_evicted_keys", "Keys that Redis has evicted since its start", labels=_SERVER
    )
    for key, value in values("evicted_keys").items():
        evicted.add_metric(key, value)
    return [
        gauge("redis_memory_used_bytes", "Memory that Redis uses", _SERVER, values("used_memory")),
        gauge("redis_memory_max_bytes", "Memory limit of Redis; 0: none", _SERVER, values("maxmemory")),
        gauge("redis_eviction_policy_info", "1; the label is the policy", ["server", "policy"], policies),
        evicted,
        gauge("redis_aof_enabled", "1 when the append-only file is on", _SERVER, values("aof_enabled")),
        gauge(
            "redis_persistence_failing",
            "1 when the last write of the append-only file or the last snapshot failed",
            _SERVER,
            failing,
        ),
    ]


def _is_failing(info: Mapping[str, Any]) -> bool:
    fields = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
    return any(info.get(field, "ok") != "ok" for field in fields)
