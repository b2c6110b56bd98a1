"""What the scheduler process shows: itself and, as the one process that looks at all queues, the fleet."""

import json
import urllib.request
from collections.abc import Iterator

import pytest
import redis

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import load_settings
from financehub_shared.health.workers import WorkerRegistry
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.metrics import Metrics
from financehub_shared.redis import keys
from financehub_shared.worker.observers import SchedulerObservers
from support.metrics import lines
from support.observed import eventually


def make(url: str, port: int = 0) -> SchedulerObservers:
    """Observers of a scheduler that is well."""
    environ = {"REDIS_URL": url, "FINANCEHUB_HTTP_HOST": "127.0.0.1", "FINANCEHUB_HTTP_PORT": str(port)}
    return SchedulerObservers(load_settings(environ), Metrics("scheduler"), live=list, ready=list)


@pytest.fixture
def observers(redis_url: str) -> Iterator[SchedulerObservers]:
    """A scheduler that serves and beats."""
    started = make(redis_url)
    started.start()
    yield started
    started.stop()
    started.server.stop()


def get(observers: SchedulerObservers, path: str) -> str:
    """Body of an answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{observers.server.port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def test_the_fleet_is_in_the_scrape(redis_client: "redis.Redis", observers: SchedulerObservers) -> None:
    """Queues, freshness and breakers are read from Redis at each scrape."""
    redis_client.rpush("dramatiq:high", "m")
    redis_client.hset("dramatiq:high.msgs", "m", b"{}")
    RedisStore(redis_client).mark_success("news", "rss", 1_800_000_000.0)
    redis_client.sadd(keys.BREAKERS, "binance", "forgotten")
    redis_client.hset(keys.breaker("binance"), "phase", "open")
    scrape = get(observers, "/metrics")
    expected = {
        'financehub_queue_messages{queue="high",state="ready"} 1.0',
        'financehub_data_last_success_timestamp_seconds{dataset="news",provider="rss"} 1.8e+09',
        'financehub_circuit_breaker_state{provider="binance",state="open"} 1.0',
        'financehub_circuit_breaker_state{provider="binance",state="closed"} 0.0',
        'financehub_queue_workers{queue="high"} 0.0',
        'financehub_queue_wait_target_seconds{queue="high"} 60.0',
        'financehub_redis_up{server="queues"} 1.0',
        'financehub_redis_aof_enabled{server="queues"} 0.0',
    }
    assert expected - lines(scrape) == set()
    assert "forgotten" not in scrape


def test_it_beats_and_answers_for_the_fleet(redis_client: "redis.Redis", observers: SchedulerObservers) -> None:
    """A scheduler that runs is alive in the registry and in its own health answer; stopped, it is gone."""
    registry = WorkerRegistry(redis_client)
    eventually(lambda: [one.tier for one in registry.alive()] == ["scheduler"])
    health = _health(observers)
    assert health["scheduler"] == "ok"
    observers.stop()
    assert registry.alive() == []


def _health(observers: SchedulerObservers) -> dict[str, str]:
    try:
        body = get(observers, "/api/health/")
    except urllib.error.HTTPError as error:  # no tier is alive: down
        body = error.read().decode()
    return {check["name"]: check["status"] for check in json.loads(body)["checks"]}


def test_a_taken_port_is_a_config_error(redis_url: str, observers: SchedulerObservers) -> None:
    """The second scheduler on a port says which variable to change."""
    with pytest.raises(ConfigError, match=f"FINANCEHUB_HTTP_PORT={observers.server.port}.*taken"):
        make(redis_url, observers.server.port).start()


def test_a_beat_is_stamped_with_the_time(redis_client: "redis.Redis", observers: SchedulerObservers) -> None:
    """`beat_at` is when it beat, so that listings can show an age."""
    eventually(lambda: WorkerRegistry(redis_client).alive())
    (info,) = WorkerRegistry(redis_client).alive()
    assert abs(info.beat_at - SystemClock().now()) < 10
