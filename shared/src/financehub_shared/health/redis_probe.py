"""Measures Redis at each scrape: availability, response time, clock skew, problems, memory and persistence."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
from prometheus_client import Histogram
from prometheus_client.metrics_core import CounterMetricFamily, Metric

from financehub_shared.core.clock import Clock
from financehub_shared.metrics.families import gauge
from financehub_shared.redis.conditions import CODES, SAVE_FIELDS, find_problems
from financehub_shared.redis.server_facts import ServerFacts, number_of, read_facts

_SERVER = ["server"]


class RedisProbe:
    """Reads each server's time, and its `INFO` and problems if `details` is set.

    Args:
        servers: Name (`queues`, `data`) → client with a short timeout and without retries.
        clock: This machine's clock, which is compared with the Redis clock.
        durations: Receives the round-trip times.
        details: Whether to read `INFO` and to try a write too. It is enough if one component of a release does.
    """

    def __init__(
        self, servers: Mapping[str, "redis.Redis"], clock: Clock, durations: Histogram, *, details: bool
    ) -> None:
        self._servers = servers
        self._clock = clock
        self._durations = durations
        self._details = details

    def collect(self) -> tuple[list[Metric], bool]:
        """Return the metric families, and whether every server answered."""
        # in parallel, because the timeouts of two hung servers would add up to nearly the scrape limit
        with ThreadPoolExecutor(len(self._servers), "redis-probe") as pool:
            facts = list(pool.map(self._read, self._servers))
        answers = [each for each in facts if each is not None]
        up = {(name,): float(each is not None) for name, each in zip(self._servers, facts, strict=True)}
        skews = {(each.server,): each.skew for each in answers if each.skew is not None}
        infos = {each.server: each.info for each in answers if each.info}
        families = [
            gauge("redis_up", "1 if Redis answered this process at this scrape", _SERVER, up),
            gauge("redis_clock_skew_seconds", "The clock of this process minus that of Redis", _SERVER, skews),
        ]
        if self._details:
            families += [_problem_metric(answers), *_info_metrics(infos)]
        return families, all(up.values())

    def _read(self, name: str) -> ServerFacts | None:
        try:
            facts = read_facts(name, self._servers[name], self._clock, write=self._details, details=self._details)
        except redis.RedisError:
            return None
        self._durations.labels(name).observe(facts.seconds)
        return facts


def _problem_metric(answers: Iterable[ServerFacts]) -> Metric:
    found = {each.server: {problem.code for problem in find_problems(each)} for each in answers}
    values = {(server, code): float(code in codes) for server, codes in found.items() for code in CODES}
    text = "1 if the server has the problem, 0 if it has not; docs/redis.md explains the problems"
    return gauge("redis_problem", text, ["server", "problem"], values)


def _info_metrics(infos: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    def values(field: str) -> dict[tuple[str, ...], float]:
        return {(name,): float(number_of(info, field)) for name, info in infos.items() if field in info}

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
    return any(info.get(field, "ok") != "ok" for field in SAVE_FIELDS)
