"""The number of series does not grow with names that come from data (F17)."""

import dramatiq
from dramatiq import Message, MessageProxy
from dramatiq.brokers.stub import StubBroker
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.broker import options
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.models import Quarantined
from financehub_shared.metrics import Metrics
from financehub_shared.metrics.label_limit import MAX_VALUES, OTHER, LabelLimit
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker
from financehub_shared.worker.middleware.run_metrics import RunMetrics


def series(metrics: Metrics) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Return the names and labels of all series."""
    families = metrics.registry.collect()
    return {(sample.name, frozenset(sample.labels.items())) for family in families for sample in family.samples}


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=3)), max_size=60))
@settings(max_examples=50)
def test_label_limit_of_any_names_is_never_exceeded(steps: list[tuple[bool, str]]):
    """At most `limit` names have a series at any time, reserved names always have one, and a removal makes room."""
    limit, live = LabelLimit(5), set[str]()
    limit.reserve("mine")
    for remove, name in steps:
        assert limit("mine") == ("mine",)
        if name == "mine":
            continue
        if remove:
            limit.forget(name)
            live.discard(name)
            continue
        (label,) = limit(name)
        assert (label == name) == (name in live or len(live) < 5)
        if label == name:
            live.add(name)
        assert len(live) <= 5


def test_reclaimed_queues_that_come_and_go_leave_no_series():
    """After 300 queues have come and gone, the scheduler has the same series as before."""
    metrics = Metrics("scheduler")
    metrics.count_reclaimed("high", 1)
    before = series(metrics)
    for number in range(300):
        metrics.count_reclaimed(f"q{number}", 1)
    assert len(series(metrics) - before) == MAX_VALUES
    for number in range(300):
        metrics.remove_queue(f"q{number}")
    assert all(("queue", OTHER) in labels for _, labels in series(metrics) - before)
    assert len(series(metrics)) <= len(before) + 1


class _Named(Exception):  # noqa: N818 — the name is replaced
    """An exception whose class has an arbitrary name."""


def test_names_in_messages_never_create_more_series_than_the_limit():
    """A worker that meets 1,000 names of queues, tasks and exceptions has a bounded number of series."""
    metrics, clock, broker = Metrics("high"), ManualClock(), StubBroker(middleware=[])
    dramatiq.actor(lambda: None, actor_name="quick", queue_name="high", broker=broker)
    attempts = AttemptTracker(clock, 300.0)
    middleware = RunMetrics(metrics, attempts, clock)
    worker = dramatiq.Worker(broker, worker_threads=1)
    attempts.before_worker_boot(broker, worker)
    middleware.before_worker_boot(broker, worker)

    def meet(number: int) -> None:
        message: Message[object] = Message(f"q{number}", f"t{number}", (), {}, {options.READY_AT: 0})
        proxy = MessageProxy(message)
        middleware.after_enqueue(broker, message, None)
        middleware.before_process_message(broker, proxy)
        error = type(f"E{number}", (_Named,), {})()
        middleware.after_process_message(broker, proxy, exception=error)
        middleware.after_skip_message(broker, proxy)

    for number in range(MAX_VALUES + 1):
        meet(number)
    full = len(series(metrics))
    for number in range(1_000):
        meet(number)
    assert len(series(metrics)) == full
    own = {("queue", "high"), ("actor", "quick")}
    message: Message[object] = Message("high", "quick", (), {}, {options.READY_AT: 0})
    middleware.before_process_message(broker, MessageProxy(message))
    assert any(name == "financehub_messages_started_total" and own <= labels for name, labels in series(metrics))


def test_classes_of_quarantine_reasons_never_create_more_series_than_the_limit():
    """The class of a reason may come from an upstream."""
    metrics = Metrics("high")
    before = len(series(metrics))
    for number in range(1_000):
        name = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        metrics.count_quarantined([Quarantined("quote", "AAPL", "yahoo", f"{name}: text", "", 0.0)])
    assert len(series(metrics)) <= before + MAX_VALUES + 1
