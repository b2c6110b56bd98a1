"""The text that is scraped is the client library's own, series for series."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from financehub_shared.metrics.exposition import encode
from financehub_shared.metrics.scrape import LabeledRegistry

#: With all that must be escaped.
texts = st.text(st.sampled_from('ab "\\\n{},=é€'), max_size=8)
#: Without -0.0, which is written as 0.0.
values = st.one_of(st.floats(), st.integers(-(10**9), 10**9)).map(lambda value: value + 0.0)


def filled(help_text: str, release: str, series: dict[tuple[str, str], float]) -> LabeledRegistry:
    """A registry with each type of metric, with and without labels."""
    disable_created_metrics()  # as every process of ours does
    registry = LabeledRegistry({"release": release, "component": "x"})
    ProcessCollector(registry=registry)
    gauge = Gauge("state", help_text, ["b", "a"], registry=registry)
    counter = Counter("events", help_text, ["b", "a"], registry=registry)
    histogram = Histogram("wait_seconds", help_text, ["b", "a"], registry=registry, buckets=(0.5, 1, 30))
    Gauge("plain", help_text, registry=registry).set(1e20)
    Counter("never", "No label", registry=registry)
    Gauge("empty", "No series", ["a"], registry=registry)
    for labels, value in series.items():
        gauge.labels(*labels).set(value)
        counter.labels(*labels).inc(abs(value) if math.isfinite(value) else 1)
        histogram.labels(*labels).observe(value)
    return registry


def content(families: list[Metric]) -> list[object]:
    """What a parser has read, comparable: NaN is equal to itself."""
    return [
        (
            one.name,
            one.type,
            one.documentation,
            [(s.name, sorted(s.labels.items()), repr(s.value)) for s in one.samples],
        )
        for one in families
        # what a process uses changes between two looks
        if not one.name.startswith("process_")
    ]


@given(
    help_text=texts,
    release=texts.filter(bool),
    series=st.dictionaries(st.tuples(texts, texts), values, max_size=5),
)
def test_a_parser_reads_what_the_library_itself_would_have_written(
    help_text: str, release: str, series: dict[tuple[str, str], float]
) -> None:
    """In both formats, for any labels, help, and values, families and samples are those of the library's writer."""
    registry = filled(help_text, release, series)
    text = registry.expose(openmetrics=False).decode()
    assert content(list(parse_text(text))) == content(list(parse_text(generate_latest(registry).decode())))
    text = registry.expose(openmetrics=True).decode()
    expected = generate_openmetrics(registry).decode()
    assert text.endswith("# EOF\n")
    assert [one for one in text.splitlines() if "process_" not in one] == [
        one for one in expected.splitlines() if "process_" not in one
    ]


def test_openmetrics_is_valid_where_values_are() -> None:
    """The library's strict parser accepts the whole answer."""
    registry = filled('It "is"\nso', "local", {("a", "b"): 2.0, ("é\\", '"\n'): 0.25})
    names = {family.name for family in parse_openmetrics(registry.expose(openmetrics=True).decode())}
    assert {"state", "events", "wait_seconds", "process_start_time_seconds"} <= names


def test_zero_has_no_sign() -> None:
    """What is written of a value does not depend on what was written before."""
    family = Metric("state", "A state", "gauge")
    for value in (-0.0, 0.0, -0.0):
        family.add_sample("state", {}, value)
    assert encode([family], (), openmetrics=True).count(b"state 0.0\n") == 3


@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_sample_keeps_its_own_label_of_a_common_name(openmetrics: bool) -> None:
    """Where a sample names the component itself, that value stands."""
    family = Metric("state", "A state", "gauge")
    family.add_sample("state", {"component": "its own"}, 1)
    family.add_sample("state", {}, 2)
    lines = encode([family], {"component": "ours"}.items(), openmetrics=openmetrics).decode().splitlines()
    assert lines[2:4] == ['state{component="its own"} 1.0', 'state{component="ours"} 2.0']
