"""Fixtures under the names that dramatiq's own tests use; each broker is a FinanceHubBroker on a real Redis.

The runner copies this file next to those tests as their `conftest.py`.
"""

import logging
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.rate_limits import RateLimiterBackend
from dramatiq.rate_limits import backends as rate_limit_backends
from dramatiq.results import ResultBackend
from dramatiq.results import backends as result_backends

from dramatiq_suite.differences import DIFFERENCES, NOT_APPLICABLE
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.redis.client import connect
from financehub_shared.worker.pipeline import build_middleware
from support.redis_server import PATIENT_SECONDS, RedisServer


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that differ or do not apply. A test that is expected to fail and passes is an error."""
    names = {item.name.partition("[")[0] for item in items}
    if not config.getoption("keyword") and (unknown := {*NOT_APPLICABLE, *DIFFERENCES} - names):
        raise pytest.UsageError(f"differences.py names tests that do not exist: {', '.join(sorted(unknown))}")
    for item in items:
        name = item.name.partition("[")[0]
        if name in NOT_APPLICABLE:
            item.add_marker(pytest.mark.skip(reason=NOT_APPLICABLE[name]))
        if name in DIFFERENCES:
            item.add_marker(pytest.mark.xfail(reason=DIFFERENCES[name], strict=True))


class DeadMessages(dramatiq.Middleware):
    """Keeps the dead-lettered messages, which dramatiq's StubBroker offers to tests."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        #: The classes and arguments of their errors. The errors themselves would keep the frames of the tests alive.
        self.errors: list[tuple[type[BaseException], tuple[Any, ...]]] = []

    def before_nack(self, broker: dramatiq.Broker, message: Any) -> None:
        self.messages.append(message._message)
        error = message._exception or Exception("a message failed without an error")
        self.errors.append((type(error), error.args))


class TestedBroker(FinanceHubBroker):
    """Our broker, with two members of StubBroker that the tests of features use."""

    __test__ = False

    @property
    def dead_letters(self) -> list[Any]:
        """The messages that were dead-lettered in this process."""
        return self._dead.messages

    @property
    def _dead(self) -> DeadMessages:
        return next(one for one in self.middleware if isinstance(one, DeadMessages))

    def join(self, queue_name: str, *, interval: int = 20, timeout: int | None = None, fail_fast: bool = True) -> None:
        """Wait until the queue is empty. As in StubBroker, the error of a dead letter is then raised."""
        super().join(queue_name, interval=interval, timeout=timeout or 20_000)
        if fail_fast and self._dead.errors:
            error, arguments = self._dead.errors[0]
            raise error(*arguments)


@pytest.fixture(autouse=True)
def global_broker() -> None:
    """A global broker without the actors of other tests, for tests that use no broker of these fixtures."""
    dramatiq.set_broker(StubBroker())


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for all tests of the session."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), aof=False).start()
    yield server
    server.stop()


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    """A client of that Redis, which is emptied first."""
    with redis_server.client() as client:
        client.flushall()
        yield client


def build_tested(kind: type[FinanceHubBroker], url: str, *observers: dramatiq.Middleware) -> Iterator[Any]:
    """Yield our broker with the middleware of a worker of the high tier, without its own observers."""
    settings = Settings(redis_url=url, retry_min_seconds=15, dramatiq_max_retries=20)
    middleware = [*observers, *build_middleware(settings, SystemClock(), tier="high")]
    broker = kind(client=connect(url, timeout=PATIENT_SECONDS, retries=0), middleware=middleware)
    broker.emit_after("process_boot")
    dramatiq.set_broker(broker)
    yield broker
    broker.close()


def run_worker(broker: FinanceHubBroker) -> Iterator[Worker]:
    """Yield a worker in threads of this process."""
    worker = Worker(broker, worker_timeout=100, worker_threads=8)
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def stub_broker(redis_server: RedisServer, client: "redis.Redis") -> Iterator[TestedBroker]:
    """Our broker for the tests of features, which dramatiq runs with its StubBroker."""
    yield from build_tested(TestedBroker, redis_server.url, DeadMessages())


@pytest.fixture
def redis_broker(redis_server: RedisServer, client: "redis.Redis") -> Iterator[FinanceHubBroker]:
    """Our broker for the tests of dramatiq's RedisBroker."""
    yield from build_tested(FinanceHubBroker, redis_server.url)


@pytest.fixture
def stub_worker(stub_broker: TestedBroker) -> Iterator[Worker]:
    """A worker of that broker."""
    yield from run_worker(stub_broker)


@pytest.fixture
def redis_worker(redis_broker: FinanceHubBroker) -> Iterator[Worker]:
    """A worker of that broker."""
    yield from run_worker(redis_broker)


@pytest.fixture
def redis_rate_limiter_backend(client: "redis.Redis") -> RateLimiterBackend:
    """A rate limiter on that Redis."""
    return rate_limit_backends.RedisBackend(client=client)


@pytest.fixture(params=["redis", "stub"])
def rate_limiter_backend(request: pytest.FixtureRequest, redis_rate_limiter_backend: Any) -> RateLimiterBackend:
    """Each rate limiter that needs no further server."""
    return redis_rate_limiter_backend if request.param == "redis" else rate_limit_backends.StubBackend()


@pytest.fixture
def redis_result_backend(client: "redis.Redis") -> ResultBackend:
    """A result backend on that Redis."""
    return result_backends.RedisBackend(client=client)


@pytest.fixture(params=["redis", "stub"])
def result_backend(request: pytest.FixtureRequest, redis_result_backend: ResultBackend) -> ResultBackend:
    """Each result backend that needs no further server."""
    return redis_result_backend if request.param == "redis" else result_backends.StubBackend()


@pytest.fixture
def info_logging() -> Iterator[None]:
    """The level INFO for all loggers."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(level)
