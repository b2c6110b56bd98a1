"""What is read out of a PromQL expression."""

import pytest

from support import promql
from support.promql import Selector

NESTED = """
max by (namespace, release) (
  # a comment that says sum(of_nothing)
  rate(a_total{job="x{y}", tier=~"a|b"}[5m])
  and on (release) (b offset 10m == 0)
) / sum(c) by (release) + 1e3 * release:d:max - (e > bool 2)
"""


def test_every_selector_is_found_with_what_is_around_it() -> None:
    """Selectors with and without braces, in several lines; comments, strings, labels and keywords are none."""
    assert list(promql.selectors(NESTED)) == [
        Selector("a_total", 'job="x{y}", tier=~"a|b"', "5m", "rate", "max"),
        Selector("b", "", None, "max", "max"),
        Selector("c", "", None, "sum", "sum"),
        Selector("release:d:max", "", None, None, None),
        Selector("e", "", None, None, None),
    ]


@pytest.mark.parametrize(
    ("expression", "aggregation"),
    [
        ("sum(m)", "sum"),
        ("sum by (a) (\n  m\n)", "sum"),
        ("count(m == 0)", "count"),
        ("sum by (a) (max by (a, b) (m))", "max"),
        ("sum by (a) (rate(m[5m]))", "sum"),
        ("max(m) + sum(n)", "max"),
        ("avg without (a) (m unless n)", "avg"),
        ("m > 0", None),
    ],
)
def test_the_innermost_aggregation_counts(expression: str, aggregation: str | None) -> None:
    """An aggregation around another does not change what happens to the series first."""
    assert next(iter(promql.selectors(expression))).aggregation == aggregation


def test_matchers_are_split() -> None:
    """Label, operator and value, whatever the value contains."""
    (selector,) = promql.selectors('m{a="1,2", b!~"x=y", c != ""}')
    assert selector.conditions == [("a", "=", "1,2"), ("b", "!~", "x=y"), ("c", "!=", "")]


def test_grouping_labels_are_those_that_are_kept() -> None:
    """Labels behind `by`, not those behind `on` or `without`."""
    assert promql.grouping_labels("sum by (a, b) (m) / on (c) max(n) by (d)") == {"a", "b", "d"}


def test_rest_of_an_expression_has_no_selector() -> None:
    """Labels of an aggregation and of label_replace stay, the matchers of a metric go."""
    assert "queue" not in promql.without_selectors('max by (tier) (m{queue="high"}[5m])')
    assert "tier" in promql.without_selectors('max by (tier) (m{queue="high"}[5m])')
    assert '"reason"' in promql.without_selectors('label_replace(m, "reason", "$1", "kind", "(.+)")')


@pytest.mark.parametrize(("duration", "seconds"), [("1h30m", 5_400), ("250ms", 0.25), ("2w", 1_209_600), ("0s", 0)])
def test_durations_are_seconds(duration: str, seconds: float) -> None:
    """Every unit of Prometheus, alone or in a row."""
    assert promql.seconds(duration) == seconds
