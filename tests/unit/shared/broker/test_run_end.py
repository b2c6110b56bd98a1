"""The end of a run: what happens if the messages that follow it cannot be enqueued."""

from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Middleware, Pipelines, Retries

from financehub_shared.broker.delivery import Delivery
from financehub_shared.broker.hooks import Hooks
from financehub_shared.broker.run_end import RunEnd
from financehub_shared.core.errors import FollowUpError

PENDING = ("high", "id", b"{}")


class Observer(Middleware):
    """Keeps what it is told about the end of each run."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def after_process_message(self, broker, message, *, result=None, exception=None):  # noqa: ANN001 — dramatiq's
        self.seen.append(result if exception is None else exception)


class FailingPipelines(Pipelines):
    """A follow-up that cannot be enqueued."""

    def after_process_message(self, broker, message, *, result=None, exception=None):  # noqa: ANN001 — dramatiq's
        raise TypeError("a set is not JSON")


class Broken(Middleware):
    """Middleware of a user that fails and enqueues nothing."""

    def after_process_message(self, broker, message, *, result=None, exception=None):  # noqa: ANN001 — dramatiq's
        raise ValueError("broken")


class Enqueues(Middleware):
    """Middleware that enqueues a message."""

    def __init__(self, run_end: RunEnd) -> None:
        self.run_end = run_end

    def after_process_message(self, broker, message, *, result=None, exception=None):  # noqa: ANN001 — dramatiq's
        assert self.run_end.keep(PENDING)


def delivery() -> Delivery:
    """Return the delivery of a message."""
    return Delivery(dramatiq.Message("high", "task", (), {}, {}))


@pytest.mark.parametrize(
    ("later", "dead"),
    [
        pytest.param([], True, id="nobody decides about a retry"),
        pytest.param([Retries()], False, id="Retries decides, because it comes later"),
    ],
)
def test_run_end_with_a_follow_up_that_fails_fails_the_run(later: list[Middleware], dead: bool):
    """The remaining middleware gets the failure, and the message is dead-lettered unless it can still be retried."""
    observer, message = Observer(), delivery()
    broker = StubBroker(middleware=[observer, *later, FailingPipelines()])
    dramatiq.actor(lambda: None, broker=broker, actor_name="task", queue_name="high")
    RunEnd(Hooks()).emit(broker, message, result={1})
    [failure] = observer.seen
    assert isinstance(failure, FollowUpError)
    assert "Pipelines did not enqueue the follow-ups: TypeError: a set is not JSON" in str(failure)
    assert message.failed is dead
    assert broker.queues["high.DQ"].qsize() == (0 if dead else 1)


def test_run_end_ignores_other_middleware_that_fails(caplog: pytest.LogCaptureFixture):
    """As in dramatiq, an error in a middleware that enqueues nothing is logged, and the run counts as succeeded."""
    observer, message = Observer(), delivery()
    RunEnd(Hooks()).emit(StubBroker(middleware=[observer, Broken()]), message, result=7)
    assert (observer.seen, message.failed) == ([7], False)
    assert "Unexpected failure in after_process_message" in caplog.text


def test_run_end_of_a_failed_run_ignores_a_follow_up_that_fails():
    """If the run failed anyway, its retry is decided, and an error in a callback does not change that."""
    observer, message, error = Observer(), delivery(), ValueError("no price")
    RunEnd(Hooks()).emit(StubBroker(middleware=[observer, FailingPipelines()]), message, exception=error)
    assert (observer.seen, message.failed) == ([error], False)


def test_run_end_keeps_a_message_that_middleware_enqueues():
    """Such a message waits for the ack of the delivery, but only if it is enqueued while the run ends."""
    run_end, message = RunEnd(Hooks()), delivery()
    run_end.emit(StubBroker(middleware=[Enqueues(run_end)]), message, result=None)
    assert message.pending == [PENDING]
    assert not run_end.keep(PENDING)
