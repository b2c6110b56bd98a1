"""Tests of the lint rules: the committed dashboards obey them, and each rule finds a violation."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from support.dashboard_lint import FLEET_GAUGES, RULES
from support.dashboards import load, panels

DASHBOARDS = load()
Change = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", DASHBOARDS)
def test_committed_dashboard_obeys_the_rule(name: str, rule: str) -> None:
    """No rule finds a problem in a committed dashboard."""
    assert list(RULES[rule](DASHBOARDS[name])) == []


def _variable(dashboard: dict[str, Any], name: str) -> dict[str, Any]:
    return next(variable for variable in dashboard["templating"]["list"] if variable["name"] == name)


def _panel(dashboard: dict[str, Any], kind: str = "timeseries") -> dict[str, Any]:
    return next(panel for panel in panels(dashboard) if panel["type"] == kind)


def _defaults(dashboard: dict[str, Any]) -> dict[str, Any]:
    return _panel(dashboard)["fieldConfig"]["defaults"]


def _replace(old: str, new: str) -> Change:
    """Return a change that replaces a string in the first expression that contains it."""

    def change(dashboard: dict[str, Any]) -> None:
        targets = (target for panel in panels(dashboard) for target in panel["targets"])
        target = next(target for target in targets if old in target["expr"])
        target["expr"] = target["expr"].replace(old, new, 1)

    return change


def _set(expression: str) -> Change:
    def change(dashboard: dict[str, Any]) -> None:
        _panel(dashboard)["targets"][0]["expr"] = expression

    return change


VIOLATIONS: list[tuple[str, str, Change]] = [
    ("template-datasource-rule", "none", lambda d: d["templating"]["list"].pop(0)),
    ("template-datasource-rule", "name", lambda d: _variable(d, "datasource").update(name="ds")),
    ("template-datasource-rule", "label", lambda d: _variable(d, "datasource").update(label="Source")),
    ("template-datasource-rule", "type", lambda d: _variable(d, "datasource").update(query="loki")),
    ("template-required-variables-rule", "no release", lambda d: _variable(d, "release").update(name="job")),
    ("template-required-variables-rule", "source", lambda d: _variable(d, "release").update(datasource={"uid": "p"})),
    ("template-required-variables-rule", "one only", lambda d: _variable(d, "namespace").update(multi=False)),
    ("template-required-variables-rule", "not empty", lambda d: _variable(d, "namespace").update(allValue=".+")),
    ("template-label-promql-rule", "function", lambda d: _variable(d, "release").update(query="values(up, job)")),
    ("template-on-time-change-reload-rule", "on load", lambda d: _variable(d, "release").update(refresh=1)),
    ("panel-datasource-rule", "panel", lambda d: _panel(d).update(datasource={"type": "prometheus", "uid": "p"})),
    ("panel-datasource-rule", "target", lambda d: _panel(d)["targets"][0].pop("datasource")),
    ("panel-title-description-rule", "title", lambda d: _panel(d).update(title="")),
    ("panel-title-description-rule", "description", lambda d: _panel(d).pop("description")),
    ("panel-title-description-rule", "a word", lambda d: _panel(d).update(description="Lag.")),
    ("panel-title-description-rule", "twice", lambda d: _panel(d).update(title=_panel(d, "stat")["title"])),
    ("panel-units-rule", "none", lambda d: _defaults(d).pop("unit")),
    ("panel-units-rule", "unknown", lambda d: _defaults(d).update(unit="secs")),
    ("panel-no-targets-rule", "none", lambda d: _panel(d).update(targets=[])),
    ("panel-no-targets-rule", "same", lambda d: _panel(d)["targets"].append(_panel(d)["targets"][0])),
    ("panel-no-value-rule", "none", lambda d: _defaults(d).pop("noValue")),
    ("panel-no-value-rule", "own form", lambda d: _defaults(d).update(noValue="Nothing here")),
    ("panel-legend-rule", "no name", lambda d: _panel(d)["targets"][0].pop("legendFormat")),
    ("panel-legend-rule", "hidden", lambda d: _panel(d)["options"]["legend"].update(showLegend=False)),
    ("panel-scale-rule", "no base", lambda d: _defaults(d)["thresholds"]["steps"].pop(0)),
    ("panel-scale-rule", "falling", lambda d: _defaults(d)["thresholds"]["steps"].extend([{"value": 2}, {"value": 1}])),
    ("panel-scale-rule", "upside down", lambda d: _defaults(d).update(min=1, max=0)),
    ("target-required-matchers-rule", "release", _replace(', release=~"$release"', "")),
    ("target-required-matchers-rule", "namespace", _replace('namespace=~"$namespace", ', "")),
    ("target-required-matchers-rule", "one value", _replace('release=~"$release"', 'release="$release"')),
    ("target-required-matchers-rule", "bare", _set("sum by (queue) (financehub_queue_messages)")),
    ("target-rate-interval-rule", "fixed", _replace("[$__rate_interval]", "[5m]")),
    ("target-counter-agg-rule", "raw", _set("sum(financehub_messages_total{})")),
    ("target-counter-agg-rule", "max", _set("max_over_time(financehub_messages_total{}[5m])")),
    ("target-fleet-gauge-rule", "sum", _set("sum by (queue) (financehub_queue_messages{})")),
    ("target-fleet-gauge-rule", "count", _set("count(financehub_data_stale{} == 1)")),
    ("target-histogram-rule", "sum", _set("sum(rate(financehub_message_wait_seconds_bucket{}[$__rate_interval]))")),
    ("uneditable-dashboard", "editable", lambda d: d.update(editable=True)),
    ("identity-rule", "uid", lambda d: d.pop("uid")),
    ("identity-rule", "time zone", lambda d: d.update(timezone="utc")),
    ("identity-rule", "range", lambda d: d["time"].update(to="now-1h")),
]


@pytest.mark.parametrize(
    ("rule", "change"), [pytest.param(rule, change, id=f"{rule}: {name}") for rule, name, change in VIOLATIONS]
)
def test_rule_with_a_violation_finds_it(rule: str, change: Change) -> None:
    """A rule detects a dashboard with a single violation."""
    dashboard = copy.deepcopy(DASHBOARDS["overview.json"])
    change(dashboard)
    assert list(RULES[rule](dashboard))


def test_fleet_gauges_are_those_that_every_scheduler_serves() -> None:
    """The fleet's gauges come from docs/metrics.md: queues, schedules, data, budgets and Redis."""
    expected = {
        "financehub_queue_workers",
        "financehub_schedules",
        "financehub_data_stale",
        "financehub_provider_budget_used_units",
        "financehub_redis_aof_enabled",
    }
    assert expected <= FLEET_GAUGES
    assert {"financehub_worker_slots", "financehub_redis_up", "financehub_queue_reclaimed_total"}.isdisjoint(
        FLEET_GAUGES
    )


def test_violations_cover_every_rule() -> None:
    """Every rule has a violation that proves that it can fail."""
    assert {rule for rule, _, _ in VIOLATIONS} == set(RULES)
