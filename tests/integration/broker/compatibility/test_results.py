"""Results: a `Results` middleware of the user works as in dramatiq."""

import asyncio
import logging
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware, SkipMessage
from dramatiq.results import ResultBackend, ResultFailure, ResultMissing, Results, ResultTimeout


def test_result_is_read_from_the_backend_of_the_broker(broker: RedisBroker, store: Any, working: Any):
    """`get_result` needs no backend argument, even from an async actor and with keyword arguments (F20)."""
    broker.add_middleware(Results(backend=store))
    assert broker.get_results_backend() is store

    async def slow(x: int) -> int:
        await asyncio.sleep(0)
        return 2 * x

    add = dramatiq.actor(lambda x, y=0: x + y, actor_name="add", store_results=True)
    double = dramatiq.actor(slow, store_results=True)
    with working(broker):
        assert add.send(1, y=2).get_result(block=True, timeout=60_000) == 3
        assert double.send(21).get_result(block=True, timeout=60_000) == 42


def test_result_is_missing_until_the_run_ends(broker: RedisBroker, store: Any):
    """Without a worker, a read does not block and a blocking read times out."""
    broker.add_middleware(Results(backend=store, store_results=True))
    message = dramatiq.actor(lambda: 1, actor_name="one").send()
    with pytest.raises(ResultMissing):
        message.get_result()
    with pytest.raises(ResultTimeout):
        message.get_result(block=True, timeout=100)


def test_result_without_a_results_middleware_is_refused(broker: RedisBroker):
    """A process without `Results` says so, instead of waiting for a result that nobody stores (F20)."""
    message = dramatiq.actor(lambda: 1, actor_name="one").send()
    with pytest.raises(RuntimeError, match="doesn't have a results backend"):
        message.get_result()
    with pytest.raises(ValueError, match="store_results"):
        dramatiq.actor(lambda: 1, actor_name="other", store_results=True)


def test_result_of_a_failed_run_is_its_error(broker: RedisBroker, store: Any, working: Any):
    """The reader gets the class and text of the exception, after the last attempt."""
    broker.add_middleware(Results(backend=store, store_results=True))

    def fail() -> None:
        raise ValueError("no price")

    with working(broker):
        message = dramatiq.actor(fail, max_retries=1, min_backoff=1, max_backoff=1).send()
        with pytest.raises(ResultFailure) as failure:
            message.get_result(block=True, timeout=60_000)
    assert (failure.value.orig_exc_type, failure.value.orig_exc_msg) == ("ValueError", "no price")


def test_result_option_of_the_actor_has_precedence(
    broker: RedisBroker, store: Any, working: Any, redis_client: "redis.Redis"
):
    """`store_results` and `result_ttl` of an actor or a message replace those of the middleware."""
    broker.add_middleware(Results(backend=store, store_results=True, result_ttl=600_000))
    quiet = dramatiq.actor(lambda: None, actor_name="quiet", store_results=False)
    short = dramatiq.actor(lambda: 1, actor_name="short", result_ttl=50_000)
    with working(broker):
        unstored, stored = quiet.send(), short.send()
        own = short.send_with_options(result_ttl=20_000)
    with pytest.raises(ResultMissing):
        unstored.get_result()
    assert 20_000 < redis_client.pttl(store.build_message_key(stored)) <= 50_000
    assert 0 < redis_client.pttl(store.build_message_key(own)) <= 20_000


def test_result_of_a_skipped_run_is_none(broker: RedisBroker, store: Any, working: Any):
    """A middleware that skips a message leaves None as its result, and the actor does not run."""

    class Skip(Middleware):
        def before_process_message(self, broker: Any, message: Any) -> None:
            raise SkipMessage("not today")

    broker.add_middleware(Skip())
    broker.add_middleware(Results(backend=store, store_results=True))
    runs: list[int] = []
    with working(broker):
        assert (
            dramatiq.actor(lambda: runs.append(1), actor_name="run").send().get_result(block=True, timeout=60_000)
            is None
        )
    assert runs == []


def test_result_backend_may_be_any_subclass(broker: RedisBroker, working: Any):
    """A backend that the user writes gets the result, the time to live and, for a dead letter, the error."""

    class Memory(ResultBackend):
        def __init__(self) -> None:
            super().__init__()
            self.stored: dict[str, Any] = {}

        def _store(self, message_key: str, result: Any, ttl: int) -> None:
            self.stored[message_key] = result

        def _get(self, message_key: str) -> Any:
            return self.stored[message_key]

    memory = Memory()
    broker.add_middleware(Results(backend=memory, store_results=True))
    with working(broker):
        message = dramatiq.actor(lambda: {"a": [1]}, actor_name="one").send()
    assert message.get_result() == {"a": [1]}


@pytest.mark.parametrize(
    ("middleware", "stored", "warnings"),
    [
        pytest.param(False, False, 1, id="no Results"),
        pytest.param(True, False, 1, id="not stored"),
        pytest.param(True, True, 0, id="stored"),
    ],
)
def test_discarded_result_is_a_warning(
    broker: RedisBroker,
    store: Any,
    working: Any,
    caplog: pytest.LogCaptureFixture,
    middleware: bool,
    stored: bool,
    warnings: int,
):
    """As in dramatiq, a result of a user's actor that nobody stores is a warning at every run."""
    if middleware:
        broker.add_middleware(Results(backend=store, store_results=stored))
    with caplog.at_level(logging.WARNING), working(broker):
        dramatiq.actor(lambda: 1, actor_name="one").send()
    assert caplog.text.count("returned a value that is not None") == warnings
