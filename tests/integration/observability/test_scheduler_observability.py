"""Tests of the metrics and health that the scheduler process serves for itself and for the fleet."""

import json
import urllib.request
from collections.abc import Iterator

import pytest
import redis

from financehub_scheduler.observability import SchedulerObservability, build_heartbeat
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import load_settings
from financehub_shared.health.processes import Heartbeat, ProcessRegistry
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.metrics import Metrics
from financehub_shared.redis import keys
from financehub_shared.redis.server_clock import ServerClock
from support.metrics import lines
from support.waiting import eventually


def make_observability(url: str, port: int = 0) -> SchedulerObservability:
    """Return the observability of a healthy scheduler."""
    environ = {"REDIS_URL": url, "FINANCEHUB_HTTP_HOST": "127.0.0.1", "FINANCEHUB_HTTP_PORT": str(port)}
    return SchedulerObservability(load_settings(environ), Metrics("scheduler"), liveness=list, readiness=list)


@pytest.fixture
def observability(redis_url: str) -> Iterator[SchedulerObservability]:
    """The observability of a scheduler, which serves HTTP."""
    started = make_observability(redis_url)
    started.start_server()
    yield started
    started.server.stop()


@pytest.fixture
def heartbeat(redis_url: str) -> Iterator[Heartbeat]:
    """The heartbeat of a scheduler, which has begun."""
    started = build_heartbeat(load_settings({"REDIS_URL": redis_url}), ServerClock(SystemClock()), lambda _: None)
    started.start()
    yield started
    started.stop()


def get(observability: SchedulerObservability, path: str) -> str:
    """Return the body of a response."""
    with urllib.request.urlopen(f"http://127.0.0.1:{observability.server.port}{path}", timeout=30) as answer:
        return str(answer.read().decode())


def test_scrape_of_the_scheduler_has_the_fleet(
    redis_client: "redis.Redis", observability: SchedulerObservability
) -> None:
    """Each scrape reads queues, freshness and breakers of the whole fleet from Redis."""
    redis_client.rpush("dramatiq:high", "m")
    redis_client.hset("dramatiq:high.msgs", "m", b"{}")
    RedisStore(redis_client).mark_success("news", "rss", 1_800_000_000.0)
    redis_client.sadd(keys.BREAKERS, "binance", "forgotten")
    redis_client.hset(keys.breaker("binance"), "phase", "open")
    expected = {
        'financehub_queue_messages{queue="high",state="ready"} 1.0',
        'financehub_data_last_success_timestamp_seconds{dataset="news",provider="rss"} 1.8e+09',
        'financehub_circuit_breaker_state{provider="binance",state="open"} 1.0',
        'financehub_circuit_breaker_state{provider="binance",state="closed"} 0.0',
        'financehub_queue_workers{queue="high"} 0.0',
        'financehub_queue_wait_target_seconds{queue="high"} 60.0',
        'financehub_redis_up{server="queues"} 1.0',
        'financehub_redis_aof_enabled{server="queues"} 1.0',
    }
    # A scrape leaves out what it cannot read within 1.5 s, which a busy machine may exceed.
    eventually(lambda: expected <= lines(get(observability, "/metrics")), "a scrape has the fleet")
    assert "forgotten" not in get(observability, "/metrics")


def test_scheduler_observability_while_running_is_registered(
    redis_client: "redis.Redis", observability: SchedulerObservability, heartbeat: Heartbeat
) -> None:
    """A running scheduler is in the process registry and in its own health report. A stopped scheduler is not."""
    registry = ProcessRegistry(redis_client)
    eventually(lambda: [process.tier for process in registry.live()] == ["scheduler"])
    health = _health(observability)
    assert health["scheduler"] == "ok"
    heartbeat.stop()
    assert registry.live() == []


def _health(observability: SchedulerObservability) -> dict[str, str]:
    try:
        body = get(observability, "/api/health/")
    except urllib.error.HTTPError as error:  # no tier is alive, so the fleet is down
        body = error.read().decode()
    return {check["name"]: check["status"] for check in json.loads(body)["checks"]}


def test_scheduler_observability_with_a_used_port_raises_config_error(
    redis_url: str, observability: SchedulerObservability
) -> None:
    """The second scheduler on a port raises an error that names the variable to change."""
    with pytest.raises(ConfigError, match=f"FINANCEHUB_HTTP_PORT={observability.server.port}.*in use"):
        make_observability(redis_url, observability.server.port).start_server()


@pytest.mark.usefixtures("heartbeat")
def test_heartbeat_has_its_time(redis_client: "redis.Redis") -> None:
    """`heartbeat_at` is the heartbeat's timestamp, so that listings can show its age."""
    eventually(lambda: ProcessRegistry(redis_client).live())
    (info,) = ProcessRegistry(redis_client).live()
    assert abs(info.heartbeat_at - SystemClock().now()) < 10
