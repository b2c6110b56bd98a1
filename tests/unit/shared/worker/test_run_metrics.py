"""What a worker counts of its messages: series that exist from the start, and tries that start late."""

import dramatiq
import pytest
from dramatiq import Message, MessageProxy
from dramatiq.brokers.stub import StubBroker

from financehub_shared.broker import options
from financehub_shared.core.catalog import WAIT_TARGETS, wait_target
from financehub_shared.core.clock import ManualClock
from financehub_shared.metrics import Metrics
from financehub_shared.monitor import RunState
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker
from financehub_shared.worker.middleware.run_metrics import RunMetrics


class Process:
    """A worker process with two actors, one on `high` and one on a queue of a user, that has booted."""

    def __init__(self) -> None:
        self.clock, self.metrics, self.broker = ManualClock(), Metrics("high"), StubBroker(middleware=[])
        for name, queue in (("quick", "high"), ("report", "reports")):
            dramatiq.actor(lambda: None, actor_name=name, queue_name=queue, broker=self.broker)
        worker = dramatiq.Worker(self.broker, worker_threads=3)
        attempts = AttemptTracker(self.clock, 300.0)
        self.middleware = RunMetrics(self.metrics, attempts, self.clock)
        attempts.before_worker_boot(self.broker, worker)
        self.middleware.before_worker_boot(self.broker, worker)

    def value(self, name: str, **labels: str) -> float | None:
        """One sample; None: there is no such series."""
        return self.metrics.registry.get_sample_value(f"financehub_{name}", labels)

    def start(self, queue: str, actor: str, waited: float) -> None:
        """Start a message that has been ready for so many seconds."""
        ready_at = (self.clock.now() - waited) * 1_000
        message: Message[object] = Message(queue, actor, (), {}, {options.READY_AT: ready_at})
        self.middleware.before_process_message(self.broker, MessageProxy(message))


ACTORS = [("high", "quick"), ("reports", "report")]


@pytest.mark.parametrize(("queue", "actor"), ACTORS)
def test_series_of_every_outcome_exist_at_zero_after_the_boot(queue: str, actor: str) -> None:
    """Before the first message every actor has the series whose first event `rate()` must see, all at 0."""
    process = Process()
    labels = {"queue": queue, "actor": actor}
    assert process.value("messages_started_total", **labels) == 0
    assert process.value("messages_started_late_total", **labels) == 0
    for outcome in ("succeeded", "retrying", "skipped", "dead-lettered", "queued"):
        assert process.value("messages_total", outcome=outcome, **labels) == 0
    others = {state.value for state in RunState} - {"succeeded", "retrying", "skipped", "dead-lettered", "queued"}
    assert {process.value("messages_total", outcome=one, **labels) for one in others} == {None}


@pytest.mark.parametrize(("queue", "actor"), ACTORS)
@pytest.mark.parametrize(("beyond", "late"), [(-0.01, 0), (0.0, 0), (0.01, 1)])
def test_a_message_is_late_once_it_has_waited_longer_than_its_queue_allows(
    queue: str, actor: str, beyond: float, late: int
) -> None:
    """Past the queue's wait target a start counts as late too, at the target and just below it does not."""
    process = Process()
    process.start(queue, actor, wait_target(queue) + beyond)
    assert process.value("messages_started_total", queue=queue, actor=actor) == 1
    assert process.value("messages_started_late_total", queue=queue, actor=actor) == late
    assert process.value("message_wait_seconds_count", queue=queue, actor=actor) == 1


def test_a_message_from_the_future_has_not_waited() -> None:
    """A clock behind the one that enqueued it makes a wait of 0, not a negative one."""
    process = Process()
    process.start("high", "quick", -5.0)
    assert process.value("message_wait_seconds_sum", queue="high", actor="quick") == 0
    assert process.value("messages_started_late_total", queue="high", actor="quick") == 0


def test_each_queue_has_its_own_target() -> None:
    """A wait that is late on the queue of prices is none on that of the house-keeping."""
    assert WAIT_TARGETS["high"] < WAIT_TARGETS["low"]
    process = Process()
    process.start("high", "quick", WAIT_TARGETS["high"] + 1)
    process.start("low", "cleanup", WAIT_TARGETS["high"] + 1)
    assert process.value("messages_started_late_total", queue="high", actor="quick") == 1
    assert process.value("messages_started_late_total", queue="low", actor="cleanup") is None
