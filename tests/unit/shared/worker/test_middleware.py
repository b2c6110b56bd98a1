"""Each middleware that acts on messages, tested separately and without Redis."""

import random

import dramatiq
import pytest
from dramatiq.broker import MessageProxy
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import Retry
from dramatiq.middleware import CurrentMessage

from financehub_shared.broker.dead_letter_reason import KillsWorkerError, TooOldError
from financehub_shared.broker.delivery import Delivery
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import BreakerOpenError, TaskFailedError
from financehub_shared.worker.middleware.history import FAILURES_KEPT, FailureHistory
from financehub_shared.worker.middleware.limits import AgeLimit, DeliveryLimit
from financehub_shared.worker.middleware.retries import LONGEST_RETRY_AFTER, Retries
from financehub_shared.worker.middleware.stamps import CorrelationId, ReadyAt, is_move

NOW = 1_800_000_000.0
NOW_MS = 1_800_000_000_000


class RecordingBroker(StubBroker):
    """A broker that records enqueued messages with their delays."""

    def __init__(self) -> None:
        super().__init__(
            middleware=[
                Retries(max_retries=3, min_backoff=1, max_backoff=2, exponential=True),
                AgeLimit(ManualClock(NOW)),
            ]
        )
        self.sent: list[tuple[dramatiq.Message, int]] = []
        dramatiq.actor(lambda: None, broker=self, actor_name="task", queue_name="q", max_age=10_000)

    def enqueue(self, message, *, delay=None):  # noqa: ANN001 — dramatiq's
        self.sent.append((message, delay))
        return message


def delivery(losses: int = 0, **options: object) -> Delivery:
    """Return a delivery of the task, enqueued now."""
    return Delivery(dramatiq.Message("q", "task", (), {}, dict(options), message_timestamp=NOW_MS), losses)


def retries(**settings: object) -> Retries:
    """Return the middleware with a back-off from 5 s to 300 s."""
    return Retries(**{"max_retries": 3, "min_backoff": 5_000, "max_backoff": 300_000, "exponential": True} | settings)


@pytest.mark.parametrize(
    ("retried", "exponential", "error", "low", "high"),
    [
        (0, True, ValueError(), 5, 10),
        (2, True, ValueError(), 20, 40),
        (8, True, ValueError(), 150, 300),
        (0, False, ValueError(), 5, 5),
        (2, False, ValueError(), 5, 5),
        (0, True, TaskFailedError("x", retry_after=60), 60, 60),
        (0, False, TaskFailedError("x", retry_after=60), 60, 60),
        (0, False, BreakerOpenError("x", "open", retry_after=30), 30, 30),
        (0, False, TaskFailedError("x", retry_after=1), 5, 5),
        (0, False, TaskFailedError("x", retry_after=-3), 5, 5),
        (0, False, TaskFailedError("x", retry_after=float("nan")), 5, 5),
        (0, False, TaskFailedError("x", retry_after=1e9), LONGEST_RETRY_AFTER, LONGEST_RETRY_AFTER),
        (0, False, Retry(delay=1_000), 1, 1),
    ],
)
def test_retry_delay_is_the_longer_of_backoff_and_retry_after(
    retried: int, exponential: bool, error: Exception, low: float, high: float
):
    """The back-off is constant, or exponential with jitter up to its limit. A longer Retry-After takes precedence."""
    random.seed(1)
    for _ in range(50):
        broker, message = RecordingBroker(), delivery(retries=retried)
        retries(exponential=exponential, max_retries=99).after_process_message(broker, message, exception=error)
        [(_, delay)] = broker.sent
        assert low * 1000 <= delay <= high * 1000


def test_retries_after_the_last_attempt_fail_the_message():
    """After `max_retries` retries the message fails, and 0 means no retry at all."""
    for settings, retried in (({"max_retries": 3}, 3), ({"max_retries": 0}, 0)):
        broker, message = RecordingBroker(), delivery(retries=retried)
        retries(**settings).after_process_message(broker, message, exception=ValueError())
        assert message.failed
        assert broker.sent == []


def test_retries_with_options_of_a_wrong_type_fail_the_message():
    """Invalid options from another client cannot make a failed message count as done."""
    message = delivery(retries="many")
    retries().after_process_message(RecordingBroker(), message, exception=ValueError())
    assert message.failed


@pytest.mark.parametrize(("losses", "refused"), [(0, False), (4, False), (5, True), (6, True)])
def test_delivery_limit_refuses_after_five_lost_workers(losses: int, refused: bool):
    """The worker may die during five deliveries, and the sixth is refused."""
    message = delivery(losses)
    if refused:
        with pytest.raises(KillsWorkerError, match=f"{losses} workers died"):
            DeliveryLimit(5).before_process_message(RecordingBroker(), message)
    else:
        DeliveryLimit(5).before_process_message(RecordingBroker(), message)
    assert message.failed is refused


def test_delivery_limit_with_a_message_of_another_broker_passes():
    """A message proxy that does not count deliveries passes."""
    DeliveryLimit(1).before_process_message(RecordingBroker(), MessageProxy(delivery()._message))


@pytest.mark.parametrize(
    ("age", "options", "skipped", "failed"),
    [
        (9.9, {}, False, False),
        (10, {}, True, False),
        (10, {"ready_at": NOW_MS + 5_000}, False, False),
        (15, {"ready_at": NOW_MS + 5_000}, True, False),
        (10, {"retries": 1, "ready_at": NOW_MS + 9_000}, True, True),
        (10, {"max_age": 60_000}, False, False),
        (60, {"max_age": 60_000}, True, False),
        (10, {"max_age": 5_000, "retries": 1}, False, False),
        (86_400, {"max_age": 5_000, "retries": 1}, False, False),
    ],
)
def test_age_limit_skips_old_runs_and_fails_old_retries(
    age: float, options: dict[str, object], skipped: bool, failed: bool
):
    """The age counts from the ready time, and for a retry from the first enqueue. The message's own limit takes
    precedence, and does not limit its retries.
    """
    message = delivery(**options)
    limit = AgeLimit(ManualClock(NOW + age))
    if skipped:
        with pytest.raises(TooOldError):
            limit.before_process_message(RecordingBroker(), message)
    else:
        limit.before_process_message(RecordingBroker(), message)
    assert message.failed is failed


def test_ready_at_is_set_by_a_retry_and_kept_by_a_move():
    """After an enqueue, a delayed retry and a move out of the delay queue, the stamp is the ready time."""
    clock = ManualClock(NOW)
    stamp, message = ReadyAt(clock), delivery()._message
    stamp.before_enqueue(RecordingBroker(), message, None)
    assert message.options["ready_at"] == NOW_MS
    clock.advance(3)
    stamp.before_enqueue(RecordingBroker(), message, 5_000)
    assert message.options["ready_at"] == NOW_MS + 8_000
    assert not is_move(message, 5_000)
    clock.advance(6)
    assert is_move(message, None)
    stamp.before_enqueue(RecordingBroker(), message, None)
    assert message.options["ready_at"] == NOW_MS + 8_000


def test_correlation_id_is_kept_inherited_or_created():
    """A message keeps its own correlation id, or else gets that of the enqueuing task, or else its message id."""
    stamp, own, inherited, new = CorrelationId(), delivery(correlation_id="own"), delivery(), delivery()
    stamp.before_enqueue(RecordingBroker(), new._message, None)
    current = CurrentMessage()
    current.before_process_message(RecordingBroker(), delivery(correlation_id="parent"))
    try:
        stamp.before_enqueue(RecordingBroker(), own._message, None)
        stamp.before_enqueue(RecordingBroker(), inherited._message, None)
    finally:
        current.after_process_message(RecordingBroker(), delivery())
    found = [message.options["correlation_id"] for message in (own, inherited, new)]
    assert found == ["own", "parent", new.message_id]


def test_failure_history_keeps_only_the_newest_failures():
    """The newest failures are kept and their texts truncated, so a message's size is bounded."""
    history, message = FailureHistory(ManualClock(NOW), str), delivery()
    for number in range(FAILURES_KEPT + 5):
        history.after_process_message(RecordingBroker(), message, exception=ValueError("x" * 5_000 + str(number)))
    failures = message.options["failures"]
    assert len(failures) == FAILURES_KEPT
    assert len(failures[-1]["error"]) == 1_000


def test_death_keeps_its_traceback_if_the_nack_is_repeated():
    """Dramatiq calls the hook again at each attempt to nack, for example while Redis is away."""
    history, message = FailureHistory(ManualClock(NOW), str), delivery(traceback="ValueError: no price")
    message.stuff_exception(TooOldError("too old"))
    for _ in range(3):
        history.before_nack(RecordingBroker(), message)
    assert message.options["dead_letter"]["traceback"] == "ValueError: no price"
    assert "traceback" not in message.options
