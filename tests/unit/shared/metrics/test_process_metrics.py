"""The metrics that a process counts. Dashboards and alerts depend on their names, types and labels."""

import pytest
from prometheus_client import generate_latest

from financehub_shared.core.models import Quarantined
from financehub_shared.metrics import BREAKER_STATES, Metrics
from support import metric_catalog
from support.metrics import families, labels_of


def create_all_series(metrics: Metrics) -> None:
    """Create a series of every metric that the process counts."""
    for child in vars(metrics).values():
        if hasattr(child, "labels") and getattr(child, "_labelnames", ()) and child is not metrics.build_info:
            child.labels(*["x"] * len(child._labelnames))


def test_counted_metrics_are_documented_with_type_and_labels() -> None:
    """docs/metrics.md lists every metric that a process counts, with the same type and labels."""
    metrics = Metrics("high")
    create_all_series(metrics)
    scraped = families(generate_latest(metrics.registry).decode())
    assert len(scraped) > 25
    assert {name: (family.type, labels_of(family)) for name, family in scraped.items()} == {
        name: metric_catalog.families()[name] for name in scraped if name in metric_catalog.families()
    }


def test_every_series_has_labels_release_and_component() -> None:
    """All samples have both labels, including those of the process collector and of histograms."""
    metrics = Metrics("medium", "prices")
    create_all_series(metrics)
    lines = [line for line in generate_latest(metrics.registry).decode().splitlines() if not line.startswith("#")]
    assert any(line.startswith("process_start_time_seconds") for line in lines)
    assert [line for line in lines if 'release="prices"' not in line or 'component="medium"' not in line] == []


@pytest.mark.parametrize(
    ("accept", "content_type", "ending"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", ""),
        ("text/plain;version=0.0.4;q=0.3,*/*;q=0.1", "text/plain; version=0.0.4; charset=utf-8", ""),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text", "# EOF\n"),
    ],
)
def test_expose_returns_openmetrics_if_accepted(accept: str, content_type: str, ending: str) -> None:
    """The `Accept` header selects the format, and the default is the text format of Prometheus."""
    actual, body = Metrics("high").expose(accept)
    assert actual.startswith(content_type)
    assert body.decode().endswith(ending)
    assert ("# EOF" in body.decode()) is bool(ending)


def test_records_are_counted_by_provider_and_reason_class() -> None:
    """Stored records are counted by dataset and provider. A quarantine reason without a class counts as `other`."""
    metrics = Metrics("high")
    metrics.count_stored("quotes:crypto", {"binance": 18, "kraken": 2})
    metrics.count_stored("quotes:crypto", {"binance": 20})
    reasons = ("jump: +9900 % against 1.02", "jump: -60 %", "no class at all", "bad 7: x")
    metrics.count_quarantined(Quarantined("quote", "BTC-USD", "binance", reason, "{}", 1.0) for reason in reasons)
    assert sample(metrics, "data_records_stored_total", dataset="quotes:crypto", provider="binance") == 38
    assert sample(metrics, "data_records_stored_total", dataset="quotes:crypto", provider="kraken") == 2
    assert sample(metrics, "quarantined_total", kind="quote", reason="jump") == 2
    assert sample(metrics, "quarantined_total", kind="quote", reason="other") == 2


def test_dropped_records_are_counted_by_reason() -> None:
    """Records that are not stored are counted by dataset and reason."""
    metrics = Metrics("medium")
    metrics.count_dropped("news", {"known-link": 3, "too-old": 1})
    metrics.count_dropped("news", {"known-link": 2})
    assert sample(metrics, "data_records_dropped_total", dataset="news", reason="known-link") == 5
    assert sample(metrics, "data_records_dropped_total", dataset="news", reason="too-old") == 1


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return the value of one series."""
    return metrics.registry.get_sample_value(f"financehub_{name}", labels)


@pytest.mark.parametrize("state", BREAKER_STATES)
def test_breaker_state_is_1_for_current_state_only(state: str) -> None:
    """After a transition only the series of the new state is 1."""
    metrics = Metrics("high")
    metrics.count_breaker_transition("binance", "open")
    metrics.count_breaker_transition("binance", state)
    values = {
        other: sample(metrics, "circuit_breaker_state", provider="binance", state=other) for other in BREAKER_STATES
    }
    assert values == {other: float(other == state) for other in BREAKER_STATES}


def test_set_breaker_state_counts_no_transition() -> None:
    """`set_breaker_state` only sets the state, and `count_breaker_transition` also counts the transition."""
    metrics = Metrics("high")
    metrics.set_breaker_state("binance", "closed")
    assert sample(metrics, "circuit_breaker_transitions_total", provider="binance", state="closed") is None
    metrics.count_breaker_transition("binance", "open")
    assert sample(metrics, "circuit_breaker_transitions_total", provider="binance", state="open") == 1


def test_remove_schedule_removes_its_series_only() -> None:
    """All series of the schedule are removed, and those of other schedules remain."""
    metrics = Metrics("scheduler")
    for name in ("a", "b"):
        metrics.schedule_lag.labels(name).observe(0.1)
        metrics.schedule_missed.labels(name).inc()
        metrics.schedule_skipped.labels(name, "overlap").inc()
        metrics.schedule_taken_over.labels(name).inc()
        metrics.schedule_next_run.labels(name).set(1)
    metrics.remove_schedule("a")
    text = generate_latest(metrics.registry).decode()
    assert 'scheduledtask="a"' not in text
    assert 'scheduledtask="b"' in text


def test_observe_provider_counts_and_times_request() -> None:
    """A request is counted and its duration observed, by provider and outcome."""
    metrics = Metrics("high")
    metrics.observe_provider("binance", "timeout", 10.0)
    labels = {"provider": "binance", "outcome": "timeout"}
    assert sample(metrics, "provider_requests_total", **labels) == 1
    assert sample(metrics, "provider_request_duration_seconds_sum", **labels) == 10.0
