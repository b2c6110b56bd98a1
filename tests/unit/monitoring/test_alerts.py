"""What every alert has: a test, annotations, a runbook page, and metrics that are in the catalog."""

import re

import pytest

from support import metric_catalog, promql
from support.dashboard_lint import counts_schedulers
from support.rules import ROOT, alerts, expectations, recorded, rules

ALERTS = alerts()
CATALOGUE = metric_catalog.series()


def test_alert_names_are_unique() -> None:
    """No two rules share a name, even in different files."""
    names = [rule["alert"] for rule in rules() if "alert" in rule]
    assert len(names) == len(set(names)) == len(ALERTS)
    assert ALERTS


@pytest.mark.parametrize("name", ALERTS)
def test_alert_waits_and_has_a_severity(name: str) -> None:
    """An alert has a `for` above zero and one of two severities."""
    rule = ALERTS[name]
    assert re.fullmatch(r"[1-9]\d*[mh]", rule["for"])
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_says_what_where_and_what_first(name: str) -> None:
    """The annotations name the release, the value, the first thing to do and the alert's own page."""
    annotations = ALERTS[name]["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert "{{ $labels.release }}" in annotations["summary"]
    assert "{{ $labels.release }}" in annotations["description"]
    assert re.search(r"\{\{ \$value( \||\s*\}\})", annotations["description"])
    assert "First: " in annotations["description"]
    assert annotations["runbook_url"] == f"docs/runbooks/{name}.md"
    assert (ROOT / annotations["runbook_url"]).is_file()


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_a_promtool_test_that_sees_it_fire_and_resolve(name: str) -> None:
    """In one promtool test the alert is quiet, then fires, then is quiet again."""
    by_test: dict[str, list[bool]] = {}
    for one in sorted(expectations(), key=lambda one: one.seconds):
        if one.alert == name:
            by_test.setdefault(one.test, []).append(one.fires)
    assert any(_quiet_fires_quiet(seen) for seen in by_test.values()), by_test


def _quiet_fires_quiet(seen: list[bool]) -> bool:
    return True in seen and not seen[0] and False in seen[seen.index(True) :]


def test_every_promtool_test_is_of_an_alert_that_exists() -> None:
    """A promtool test of a renamed alert would expect no alert and always pass."""
    assert {one.alert for one in expectations()} == set(ALERTS)


def test_expressions_name_only_metrics_of_the_catalogue() -> None:
    """Every metric of an expression is in docs/metrics.md, and every recorded series is recorded."""
    known = CATALOGUE.keys() | recorded()
    used = {name for rule in rules() for name in promql.metrics(rule["expr"])}
    assert used - known == set()
    assert "financehub_build_info" in used


def test_matchers_name_only_labels_and_values_of_the_catalogue() -> None:
    """A label that a matcher names is one of its metric, and an exact value stands in the metric's row."""
    wrong = [
        (selector.metric, *condition)
        for rule in rules()
        for selector in promql.selectors(rule["expr"])
        for condition in selector.conditions
        if not _is_known(selector.metric, *condition)
    ]
    assert wrong == []


def _is_known(metric: str, label: str, operator: str, value: str) -> bool:
    if metric in recorded():
        # one series is recorded from another, with its labels
        return value in {rule.get("labels", {}).get(label) for rule in rules() if "record" in rule}
    if label in metric_catalog.COMMON_LABELS:
        return (label, operator, value) == ("component", "=", "scheduler")
    row = CATALOGUE[metric]
    return label in row.labels and ("~" in operator or f"`{value}`" in row.text)


def test_every_recorded_series_is_used() -> None:
    """Every recorded series is read by a rule or a dashboard; any other costs every Prometheus and is useless."""
    used = {name for rule in rules() for name in promql.metrics(rule["expr"])}
    dashboards = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "deploy/helm/financehub/files/dashboards").glob("*.json")
    )
    assert {name for name in recorded() - used if name not in dashboards} == set()


def test_fleet_figures_are_never_summed() -> None:
    """Every scheduler serves the fleet's figures, so rules take a maximum or minimum; a sum would count them twice."""
    wrong = [
        f"{rule.get('alert') or rule['record']}: {selector.aggregation} of {selector.metric}"
        for rule in rules()
        for selector in promql.selectors(rule["expr"])
        if counts_schedulers(selector)
    ]
    assert wrong == []


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
def test_a_fleet_figure_that_is_summed_is_noticed(expression: str, counts: bool) -> None:
    """Any aggregation but a maximum or minimum, and none at all, for any gauge that every scheduler serves."""
    assert any(counts_schedulers(selector) for selector in promql.selectors(expression)) is counts


def test_no_rule_is_bound_to_one_release() -> None:
    """The rules cover every release that the Prometheus scrapes: each keeps the label and none filters by it."""
    for rule in rules():
        assert not re.search(r'(release|namespace)\s*(=|!=|=~|!~)\s*"', rule["expr"])
    for name, rule in ALERTS.items():
        assert "namespace, release" in rule["expr"] or "release:" in rule["expr"], name
