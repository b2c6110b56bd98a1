"""Tests of the PromQL parser."""

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


def test_selectors_of_a_nested_expression_returns_each_with_its_context() -> None:
    """Selectors with and without braces are found on several lines. Comments, strings, labels and keywords are not."""
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
def test_selector_in_nested_aggregations_has_the_innermost_one(expression: str, aggregation: str | None) -> None:
    """A selector's aggregation is the innermost one, because it is applied to the series first."""
    assert next(iter(promql.selectors(expression))).aggregation == aggregation


def test_selector_conditions_with_any_value_are_split() -> None:
    """A matcher is split into label, operator and value, regardless of the value's content."""
    (selector,) = promql.selectors('m{a="1,2", b!~"x=y", c != ""}')
    assert selector.conditions == [("a", "=", "1,2"), ("b", "!~", "x=y"), ("c", "!=", "")]


def test_grouping_labels_of_an_expression_are_those_of_by() -> None:
    """Grouping labels are those after `by`, not those after `on` or `without`."""
    assert promql.grouping_labels("sum by (a, b) (m) / on (c) max(n) by (d)") == {"a", "b", "d"}


def test_without_selectors_removes_selectors_and_keeps_labels() -> None:
    """The labels of an aggregation and of label_replace are kept, and a metric's matchers are removed."""
    assert "queue" not in promql.without_selectors('max by (tier) (m{queue="high"}[5m])')
    assert "tier" in promql.without_selectors('max by (tier) (m{queue="high"}[5m])')
    assert '"reason"' in promql.without_selectors('label_replace(m, "reason", "$1", "kind", "(.+)")')


@pytest.mark.parametrize(("duration", "seconds"), [("1h30m", 5_400), ("250ms", 0.25), ("2w", 1_209_600), ("0s", 0)])
def test_seconds_of_a_duration_sums_all_units(duration: str, seconds: float) -> None:
    """Every Prometheus unit is converted, alone or in combination."""
    assert promql.seconds(duration) == seconds
