"""An interrupt at a moment that dramatiq does not expect: its worker acknowledges a message whose run has not ended.

The histories of `make history` found a shutdown that arrived while dramatiq logged the error of a task. Its retry was
never enqueued, and the message was lost.
"""

import contextvars
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

import dramatiq
import pytest
from dramatiq.middleware import Shutdown

from financehub_shared.broker.delivery import Delivery
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from support.redis_server import PATIENT_SECONDS, free_port
from support.waiting import eventually
from support.workers import unsettled

_QUEUE = "q"


@pytest.fixture
def broker(redis_url: str) -> FinanceHubBroker:
    """A broker."""
    return build_broker(Settings(redis_url=redis_url, http_port=free_port()))


class _Interrupts(dramatiq.Middleware):
    """Interrupts the hooks at the end of the first run."""

    def __init__(self) -> None:
        self.count = 0

    def after_process_message(self, broker, message, *, result=None, exception=None):  # noqa: ANN001 — dramatiq's
        self.count += 1
        if self.count == 1:
            raise Shutdown


@pytest.mark.parametrize("place", [0, -1], ids=["before the retry", "after the retry"])
def test_run_whose_hooks_are_interrupted_is_repeated(place: int, broker: FinanceHubBroker) -> None:
    """The message returns to its queue without a retry, because its next run has one."""

    @dramatiq.actor(queue_name=_QUEUE, broker=broker, max_retries=1, min_backoff=60_000)
    def fail() -> None:
        raise ValueError("expected")

    broker.middleware.insert(place if place == 0 else len(broker.middleware), _Interrupts())
    redis_id = fail.send().options["redis_message_id"]
    consumer = broker.consume(_QUEUE, prefetch=1, timeout=10)
    delivery = next(consumer)
    assert delivery is not None

    def end_interrupted() -> None:
        broker.emit_before("process_message", delivery)
        with pytest.raises(Shutdown):
            broker.emit_after("process_message", delivery, exception=ValueError("expected"))
        consumer.ack(delivery)

    # The interrupted hooks leave their message in the context, as they do in a worker thread that ends.
    contextvars.copy_context().run(end_interrupted)
    assert broker.client.lrange(keys.ready(_QUEUE), 0, -1) == [redis_id.encode()]
    assert unsettled(broker.client, _QUEUE) == 1


@pytest.mark.parametrize("fetches", ["consumer", "acknowledgment"])
def test_message_that_is_fetched_again_before_it_is_forgotten_is_delivered_soon(
    fetches: str, broker: FinanceHubBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that a thread gives back may be fetched by another one before the first thread knows the reply. The
    consumer delivers it as soon as it looks for such messages, and not only with its check every 30 s.
    """
    actor = dramatiq.actor(lambda: None, actor_name="task", queue_name=_QUEUE, broker=broker)
    broker.deliver_with(_QUEUE, lambda _: pytest.fail("it is held"))
    sent = [actor.send().options["redis_message_id"] for _ in range(2)]
    consumer = broker.consume(_QUEUE, prefetch=2, timeout=10)
    held, other = next(consumer), next(consumer)
    assert isinstance(held, Delivery)
    assert other is not None
    requeue = broker.do_requeue

    def fetch_before_the_reply(queue: str, *ids: str) -> None:
        requeue(queue, *ids)
        if fetches == "consumer":
            consumer._fetch(1)
        else:
            consumer.ack(other)
        assert broker.client.llen(keys.ready(_QUEUE)) == 0

    monkeypatch.setattr(broker, "do_requeue", fetch_before_the_reply)
    held.is_running = True
    consumer.ack(held)
    again = next(consumer)
    assert again is not None
    assert again.options["redis_message_id"] == sent[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_failed_task_that_is_interrupted_while_its_error_is_logged_is_repeated(
    broker: FinanceHubBroker, serving: Callable[..., AbstractContextManager[object]]
) -> None:
    """Dramatiq's thread ends with the interrupt and acknowledges the message. Another thread runs it again."""
    runs: list[int] = []

    @dramatiq.actor(queue_name=_QUEUE, broker=broker, max_retries=0)
    def fail_once() -> None:
        runs.append(len(runs))
        if len(runs) == 1:
            raise ValueError("expected")

    def interrupt(record: logging.LogRecord) -> bool:
        if record.levelno == logging.ERROR:
            raise Shutdown
        return True

    loggers = [logging.getLogger(f"dramatiq.worker.{name}") for name in ("WorkerThread", "ConsumerThread")]
    with serving(broker):
        for logger in loggers:
            logger.addFilter(interrupt)
        try:
            fail_once.send()
            eventually(lambda: len(runs) == 2, "the message runs again", PATIENT_SECONDS)
            eventually(lambda: unsettled(broker.client, _QUEUE) == 0, "it is acknowledged", PATIENT_SECONDS)
        finally:
            for logger in loggers:
                logger.removeFilter(interrupt)
