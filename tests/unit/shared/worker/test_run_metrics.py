"""Message metrics: series that exist from the start, and attempts that start late."""

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
    """A booted worker process with two actors, one on `high` and one on a queue that a user added."""

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
        """Return a sample, or None if there is no such series."""
        return self.metrics.registry.get_sample_value(f"financehub_{name}", labels)

    def start(self, queue: str, actor: str, waited: float) -> None:
        """Start a message that has been ready for `waited` seconds."""
        ready_at = (self.clock.now() - waited) * 1_000
        message: Message[object] = Message(queue, actor, (), {}, {options.READY_AT: ready_at})
        self.middleware.before_process_message(self.broker, MessageProxy(message))


ACTORS = [("high", "quick"), ("reports", "report")]


@pytest.mark.parametrize(("queue", "actor"), ACTORS)
def test_run_metrics_after_the_boot_have_all_series_at_zero(queue: str, actor: str) -> None:
    """Before the first message, every actor's series are 0, so that `rate()` sees their first event."""
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
def test_message_beyond_its_wait_target_counts_as_late(queue: str, actor: str, beyond: float, late: int) -> None:
    """A start after the queue's wait target also counts as late, but a start at or before the target does not."""
    process = Process()
    process.start(queue, actor, wait_target(queue) + beyond)
    assert process.value("messages_started_total", queue=queue, actor=actor) == 1
    assert process.value("messages_started_late_total", queue=queue, actor=actor) == late
    assert process.value("message_wait_seconds_count", queue=queue, actor=actor) == 1


def test_message_from_a_clock_ahead_of_ours_has_waited_zero_seconds() -> None:
    """If the clock of the enqueuing process is ahead, the wait is 0 and not negative."""
    process = Process()
    process.start("high", "quick", -5.0)
    assert process.value("message_wait_seconds_sum", queue="high", actor="quick") == 0
    assert process.value("messages_started_late_total", queue="high", actor="quick") == 0


def test_wait_target_differs_between_queues() -> None:
    """A wait that is late in the price queue is not late in the maintenance queue."""
    assert WAIT_TARGETS["high"] < WAIT_TARGETS["low"]
    process = Process()
    process.start("high", "quick", WAIT_TARGETS["high"] + 1)
    process.start("low", "cleanup", WAIT_TARGETS["high"] + 1)
    assert process.value("messages_started_late_total", queue="high", actor="quick") == 1
    assert process.value("messages_started_late_total", queue="low", actor="cleanup") is None
