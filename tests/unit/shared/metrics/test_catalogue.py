"""The metrics that a process counts: names, types and labels are a contract with dashboards and alerts."""

import pytest
from prometheus_client import generate_latest

from financehub_shared.core.models import Quarantined
from financehub_shared.metrics import BREAKER_STATES, Metrics
from support import metric_catalog
from support.metrics import families, labels_of


def _touch_everything(metrics: Metrics) -> None:
    """Make a series of every metric that is counted in the process."""
    for child in vars(metrics).values():
        if hasattr(child, "labels") and getattr(child, "_labelnames", ()) and child is not metrics.build_info:
            child.labels(*["x"] * len(child._labelnames))


def test_what_a_process_counts_is_in_the_catalogue_with_its_type_and_labels() -> None:
    """No metric is counted that docs/metrics.md does not name, or with another type or other labels."""
    metrics = Metrics("high")
    _touch_everything(metrics)
    scraped = families(generate_latest(metrics.registry).decode())
    assert len(scraped) > 25
    assert {name: (family.type, labels_of(family)) for name, family in scraped.items()} == {
        name: metric_catalog.families()[name] for name in scraped if name in metric_catalog.families()
    }


def test_every_series_says_which_release_and_component_it_is_of() -> None:
    """All samples carry both labels, those of the process collector and of histograms too."""
    metrics = Metrics("medium", "prices")
    _touch_everything(metrics)
    lines = [line for line in generate_latest(metrics.registry).decode().splitlines() if not line.startswith("#")]
    assert any(line.startswith("process_start_time_seconds") for line in lines)
    assert [line for line in lines if 'release="prices"' not in line or 'component="medium"' not in line] == []


@pytest.mark.parametrize(
    ("accept", "content_type", "ends"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", ""),
        ("text/plain;version=0.0.4;q=0.3,*/*;q=0.1", "text/plain; version=0.0.4; charset=utf-8", ""),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text", "# EOF\n"),
    ],
)
def test_openmetrics_is_answered_when_it_is_asked_for(accept: str, content_type: str, ends: str) -> None:
    """The `Accept` header decides on the format; without one it is Prometheus text."""
    answered, body = Metrics("high").expose(accept)
    assert answered.startswith(content_type)
    assert body.decode().endswith(ends)
    assert ("# EOF" in body.decode()) is bool(ends)


def test_records_are_counted_by_provider_and_by_class_of_reason() -> None:
    """Stored records add up per dataset and provider; a reason without a class counts as `other`, never as its text."""
    metrics = Metrics("high")
    metrics.count_stored("quotes:crypto", {"binance": 18, "kraken": 2})
    metrics.count_stored("quotes:crypto", {"binance": 20})
    reasons = ("jump: ×100, +9900 % against 1.02", "jump: -60 %", "no class at all", "bad 7: x")
    metrics.count_quarantined(Quarantined("quote", "BTC-USD", "binance", reason, "{}", 1.0) for reason in reasons)
    assert sample(metrics, "data_records_stored_total", dataset="quotes:crypto", provider="binance") == 38
    assert sample(metrics, "data_records_stored_total", dataset="quotes:crypto", provider="kraken") == 2
    assert sample(metrics, "quarantined_total", kind="quote", reason="jump") == 2
    assert sample(metrics, "quarantined_total", kind="quote", reason="other") == 2


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


def test_a_deleted_schedule_leaves_no_series() -> None:
    """Every series of a deleted schedule goes; those of others stay."""
    metrics = Metrics("scheduler")
    for name in ("a", "b"):
        metrics.schedule_lag.labels(name).observe(0.1)
        metrics.schedule_missed.labels(name).inc()
        metrics.schedule_skipped.labels(name, "overlap").inc()
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
