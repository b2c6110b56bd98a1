"""Fixtures that run each test twice: with dramatiq's own RedisBroker and with FinanceHub's.

What passes with both is "as in dramatiq". `test_differences.py` has what differs on purpose.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import dramatiq
import dramatiq.worker
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, CurrentMessage
from dramatiq.rate_limits.backends import RedisBackend as RateLimits
from dramatiq.results.backends import RedisBackend as ResultStore

from financehub_shared.core.settings import Settings
from financehub_shared.redis.client import connect
from financehub_shared.worker.build import build_broker
from support.redis_server import PATIENT_SECONDS

Working = Callable[..., AbstractContextManager[dramatiq.Worker]]


def build(kind: str, url: str) -> RedisBroker:
    """Build a broker with short polls and back-offs.

    Args:
        kind: `stock` or `ours`.
        url: URL of Redis.
    """
    client = connect(url, retries=0, timeout=PATIENT_SECONDS)
    if kind == "ours":
        settings = Settings(redis_url=url, retry_min_seconds=0.1, retry_max_seconds=0.2)
        return build_broker(settings, tier="high", client=client)
    broker = RedisBroker(client=client)
    broker.add_middleware(AsyncIO())
    broker.add_middleware(CurrentMessage())
    return broker


@pytest.fixture(params=["stock", "ours"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of broker: dramatiq's own, or FinanceHub's."""
    return str(request.param)


@pytest.fixture
def broker(kind: str, redis_url: str, redis_client: "redis.Redis") -> Iterator[RedisBroker]:
    """A broker on an empty Redis, which is also dramatiq's global one."""
    before = dramatiq.broker.global_broker
    broker = build(kind, redis_url)
    dramatiq.set_broker(broker)
    broker.emit_after("process_boot")
    yield broker
    broker.close()
    dramatiq.broker.global_broker = before


@pytest.fixture
def our_broker(redis_url: str, redis_client: "redis.Redis") -> Iterator[RedisBroker]:
    """FinanceHub's broker, for what differs from dramatiq's."""
    before = dramatiq.broker.global_broker
    broker = build("ours", redis_url)
    dramatiq.set_broker(broker)
    broker.emit_after("process_boot")
    yield broker
    broker.close()
    dramatiq.broker.global_broker = before


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that was paused waits for 3 s, for which dramatiq has no setting that a test could change."""
    monkeypatch.setattr(dramatiq.worker, "CONSUMER_RESTART_DELAY_SECS", 0.1)


@pytest.fixture
def working() -> Working:
    """Return a context manager that runs a worker in threads and, at its end, waits until the queues are empty."""

    @contextmanager
    def work(
        broker: RedisBroker, *, queues: tuple[str, ...] = ("default",), threads: int = 4
    ) -> Iterator[dramatiq.Worker]:
        worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=20)
        worker.start()
        try:
            yield worker
            for queue in queues:
                broker.join(queue, interval=10, timeout=60_000)
            worker.join()
        finally:
            worker.stop(timeout=5_000)

    return work


@pytest.fixture
def store(redis_client: "redis.Redis") -> ResultStore:
    """A result backend of the user."""
    return ResultStore(client=redis_client)


@pytest.fixture
def rate_limits(redis_client: "redis.Redis") -> RateLimits:
    """A rate limiter backend of the user."""
    return RateLimits(client=redis_client)
