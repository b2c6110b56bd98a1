"""Tests that each alert rule has a promtool test, annotations, a runbook and metrics from the catalog."""

import re

import pytest

from support import metric_catalog, promql
from support.dashboard_lint import counts_schedulers
from support.rules import ROOT, alerts, expectations, recorded, rules

ALERTS = alerts()
CATALOG = metric_catalog.series()


def test_alert_names_are_unique() -> None:
    """No two rules share a name, even in different files."""
    names = [rule["alert"] for rule in rules() if "alert" in rule]
    assert len(names) == len(set(names)) == len(ALERTS)
    assert ALERTS


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_a_for_and_a_severity(name: str) -> None:
    """An alert has a `for` above zero and one of two severities."""
    rule = ALERTS[name]
    assert re.fullmatch(r"[1-9]\d*[mh]", rule["for"])
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_annotations_are_complete(name: str) -> None:
    """The annotations contain the release, the value, the first step and the alert's runbook."""
    annotations = ALERTS[name]["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert "{{ $labels.release }}" in annotations["summary"]
    assert "{{ $labels.release }}" in annotations["description"]
    assert re.search(r"\{\{ \$value( \||\s*\}\})", annotations["description"])
    assert "First: " in annotations["description"]
    assert annotations["runbook_url"] == f"docs/runbooks/{name}.md"
    assert (ROOT / annotations["runbook_url"]).is_file()


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_a_promtool_test_where_it_fires_and_resolves(name: str) -> None:
    """In one promtool test the alert does not fire, then fires, then does not fire again."""
    by_test: dict[str, list[bool]] = {}
    for expected in sorted(expectations(), key=lambda expected: expected.seconds):
        if expected.alert == name:
            by_test.setdefault(expected.test, []).append(expected.fires)
    assert any(_fires_and_resolves(states) for states in by_test.values()), by_test


def _fires_and_resolves(states: list[bool]) -> bool:
    return True in states and not states[0] and False in states[states.index(True) :]


def test_promtool_tests_name_only_existing_alerts() -> None:
    """Every promtool test names an existing alert. For an unknown name it would expect no alert and always pass."""
    assert {expected.alert for expected in expectations()} == set(ALERTS)


def test_expressions_use_only_known_metrics() -> None:
    """Every metric in an expression is in docs/metrics.md or recorded by a rule."""
    known = CATALOG.keys() | recorded()
    used = {name for rule in rules() for name in promql.metrics(rule["expr"])}
    assert used - known == set()
    assert "financehub_build_info" in used


def test_matchers_use_only_known_labels_and_values() -> None:
    """A matcher's label belongs to its metric, and an exact value is in the metric's row of the catalog."""
    unknown = [
        (selector.metric, *condition)
        for rule in rules()
        for selector in promql.selectors(rule["expr"])
        for condition in selector.conditions
        if not _is_known(selector.metric, *condition)
    ]
    assert unknown == []


def _is_known(metric: str, label: str, operator: str, value: str) -> bool:
    if metric in recorded():
        # a series that is recorded from another one has its labels
        return value in {rule.get("labels", {}).get(label) for rule in rules() if "record" in rule}
    if label in metric_catalog.COMMON_LABELS:
        return (label, operator, value) == ("component", "=", "scheduler")
    row = CATALOG[metric]
    return label in row.labels and ("~" in operator or f"`{value}`" in row.text)


def test_recorded_series_are_all_used() -> None:
    """Every recorded series is used by a rule or a dashboard. An unused one would only cost resources."""
    used = {name for rule in rules() for name in promql.metrics(rule["expr"])}
    dashboards = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "deploy/helm/financehub/files/dashboards").glob("*.json")
    )
    assert {name for name in recorded() - used if name not in dashboards} == set()


def test_rules_never_sum_fleet_gauges() -> None:
    """Rules use a maximum or minimum of the fleet's gauges. A sum would count each gauge once per scheduler."""
    summed = [
        f"{rule.get('alert') or rule['record']}: {selector.aggregation} of {selector.metric}"
        for rule in rules()
        for selector in promql.selectors(rule["expr"])
        if counts_schedulers(selector)
    ]
    assert summed == []


@pytest.mark.parametrize(
    ("expression", "counts"),
    [
        ("sum(financehub_queue_workers)", True),
        ("count by (release) (\n  financehub_redis_aof_enabled == 0\n)", True),
        ("sum by (release) (avg_over_time(financehub_schedule_consecutive_failures[5m]))", True),
        ('financehub_provider_budget_used_units{window="60"} > 5', True),
        ("sum by (release) (max by (release, queue) (financehub_queue_workers))", False),
        ("min(deriv(financehub_queue_oldest_message_age_seconds[5m]))", False),
        ("sum(financehub_redis_up)", False),
    ],
)
def test_counts_schedulers_with_a_sum_of_a_fleet_gauge_is_true(expression: str, counts: bool) -> None:
    """The check finds fleet gauges without an aggregation and with any aggregation other than a maximum or minimum."""
    assert any(counts_schedulers(selector) for selector in promql.selectors(expression)) is counts


def test_rules_cover_every_release() -> None:
    """The rules cover every release that Prometheus scrapes: each keeps the label, and none filters by it."""
    for rule in rules():
        assert not re.search(r'(release|namespace)\s*(=|!=|=~|!~)\s*"', rule["expr"])
    for name, rule in ALERTS.items():
        assert "namespace, release" in rule["expr"] or "release:" in rule["expr"], name
