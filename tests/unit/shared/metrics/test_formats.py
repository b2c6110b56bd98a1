"""The format of the metrics for any `Accept` header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder

from financehub_shared.metrics import metrics_format
from financehub_shared.metrics.formats import OPENMETRICS, TEXT

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ('Application/OpenMetrics-Text; Version="1.0.0"', OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=99", TEXT),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("*/*", TEXT),
        ("", TEXT),
    ],
)
def test_metrics_format_of_known_clients(accept: str, expected: str) -> None:
    """Prometheus gets OpenMetrics, and browsers and curl get text."""
    assert metrics_format(accept) == expected


TOKENS = st.sampled_from(
    ["application/openmetrics-text", "text/plain", ";version=", "1.0.0", ";escaping=", ",", ";", "="]
)


@given(st.lists(TOKENS | st.text(max_size=3), max_size=12).map("".join))
def test_metrics_format_of_any_header_is_one_that_the_encoder_accepts(accept: str) -> None:
    """No header leads to a third format, nor to an error of prometheus_client, which some versions cause."""
    _, content_type = choose_encoder(metrics_format(accept))
    assert content_type.startswith(("application/openmetrics-text; version=1.0.0;", "text/plain; version=0.0.4;"))
