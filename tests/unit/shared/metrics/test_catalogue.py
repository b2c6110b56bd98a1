"""The metric catalogue: names, types and labels are a contract with dashboards and alerts."""

from dataclasses import dataclass

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from financehub_shared.metrics import BREAKER_STATES, Metrics
from support.metrics import CATALOGUE


@dataclass(frozen=True)
class Queue:
    """Figures of one queue."""

    queue: str = "high"
    ready: int = 1
    in_flight: int = 2
    delayed: int = 3
    dead: int = 4
    orphaned: int = 5
    oldest_age_seconds: float = 6.5


def _touch_everything(metrics: Metrics) -> None:
    """Make a series of every metric; those that are read at a scrape read fixed figures."""
    metrics.watch_queues(lambda: [Queue()])
    metrics.watch_freshness(lambda: {("quotes:crypto", "binance"): 1_800_000_000.0})
    for child in vars(metrics).values():
        if hasattr(child, "labels") and getattr(child, "_labelnames", ()) and child is not metrics.build_info:
            child.labels(*["x"] * len(child._labelnames))


def test_names_types_and_labels_are_the_catalogue() -> None:
    """What is scraped is exactly the catalogue: no metric more or less, no symbol among the labels."""
    metrics = Metrics("high")
    _touch_everything(metrics)
    scraped = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        scraped[family.name] = (family.type, labels)
    assert scraped == CATALOGUE


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One value as scraped."""
    return metrics.registry.get_sample_value(f"financehub_{name}", labels)


@pytest.mark.parametrize("state", BREAKER_STATES)
def test_the_breaker_state_is_one_hot(state: str) -> None:
    """Exactly the state the breaker is in is 1, whatever it was in before."""
    metrics = Metrics("high")
    metrics.breaker_changed("binance", "open")
    metrics.breaker_changed("binance", state)
    values = {one: sample(metrics, "circuit_breaker_state", provider="binance", state=one) for one in BREAKER_STATES}
    assert values == {one: float(one == state) for one in BREAKER_STATES}


def test_reading_a_state_counts_no_transition() -> None:
    """`breaker_is` shows a state and counts nothing; `breaker_changed` does both."""
    metrics = Metrics("high")
    metrics.breaker_is("binance", "closed")
    assert sample(metrics, "circuit_breaker_transitions_total", provider="binance", state="closed") is None
    metrics.breaker_changed("binance", "open")
    assert sample(metrics, "circuit_breaker_transitions_total", provider="binance", state="open") == 1


def test_the_scheduler_shows_the_breakers_of_the_fleet() -> None:
    """What is in Redis counts there, one-hot, not what this process saw."""
    metrics = Metrics("scheduler")
    metrics.breaker_changed("binance", "closed")
    metrics.watch_breakers(lambda: {"binance": "open", "yahoo": "closed"})
    shown = {
        (upstream, state): sample(metrics, "circuit_breaker_state", provider=upstream, state=state)
        for upstream in ("binance", "yahoo")
        for state in BREAKER_STATES
    }
    assert {key for key, value in shown.items() if value} == {("binance", "open"), ("yahoo", "closed")}
    assert None not in shown.values()


def test_a_source_that_fails_leaves_its_gauges_out_and_the_rest_in() -> None:
    """With Redis away a scrape still answers: old figures are not shown, the others are."""

    def away() -> list[Queue]:
        raise ConnectionError("Redis is away")

    metrics = Metrics("scheduler")
    metrics.watch_queues(away)
    metrics.watch_freshness(lambda: {("news", "rss"): 1.0})
    text = generate_latest(metrics.registry).decode()
    assert "financehub_queue_messages" not in text
    assert 'financehub_data_last_success_timestamp_seconds{dataset="news",provider="rss"} 1.0' in text


def test_queue_figures_are_read_at_each_scrape() -> None:
    """The gauges show what the source says now."""
    queues = [Queue()]
    metrics = Metrics("scheduler")
    metrics.watch_queues(lambda: queues)
    assert sample(metrics, "queue_messages", queue="high", state="delayed") == 3
    queues[0] = Queue(delayed=9)
    assert sample(metrics, "queue_messages", queue="high", state="delayed") == 9
    assert sample(metrics, "queue_oldest_message_age_seconds", queue="high") == 6.5


def test_a_deleted_schedule_leaves_no_series() -> None:
    """Every series of a deleted schedule goes; those of others stay."""
    metrics = Metrics("scheduler")
    for name in ("a", "b"):
        metrics.schedule_lag.labels(name).observe(0.1)
        metrics.schedule_missed.labels(name).inc()
        metrics.schedule_skipped.labels(name).inc()
        metrics.schedule_next_run.labels(name).set(1)
    metrics.schedule_forgotten("a")
    text = generate_latest(metrics.registry).decode()
    assert 'scheduledtask="a"' not in text
    assert 'scheduledtask="b"' in text


def test_a_request_is_counted_and_timed() -> None:
    """One observed request is one count and one duration, by provider and outcome."""
    metrics = Metrics("high")
    metrics.observe_provider("binance", "timeout", 10.0)
    labels = {"provider": "binance", "outcome": "timeout"}
    assert sample(metrics, "provider_requests_total", **labels) == 1
    assert sample(metrics, "provider_request_duration_seconds_sum", **labels) == 10.0
