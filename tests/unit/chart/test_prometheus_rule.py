"""The PrometheusRule says what the files of rules say, with what the values change."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import NAMESPACE, Document, refusal, render
from support.chart_values import OPTIONS
from support.promtool import promtool_path
from support.rules import RULE_FILES, grouping_labels

#: Groups of all rule files, in the order of their names.
GROUPS: list[Document] = [
    group for path in RULE_FILES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
]
ALERTS: dict[str, Document] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
SKEW, TOO_OLD = "FinanceHubClockSkew", "FinanceHubQueueTooOld"


def rendered(**values: Any) -> Document:
    """The PrometheusRule with these values of `metrics.prometheusRule`."""
    (resource,) = render({"metrics": {"prometheusRule": {"enabled": True} | values}}).all("PrometheusRule")
    return resource


def alerts(**values: Any) -> dict[str, Document]:
    """Name → alert of the PrometheusRule with these values."""
    groups = rendered(**values)["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_rules_without_values_are_those_of_the_files():
    """Every group and rule arrives as it is in its file, with Prometheus's own templates in it."""
    groups = rendered()["spec"]["groups"]
    assert groups == GROUPS
    assert "{{ $labels.release }}" in json.dumps(groups)


def test_rules_are_not_rendered_unless_enabled():
    """Without the value there is no PrometheusRule, and none where metrics are off."""
    assert render().all("PrometheusRule") == []
    off = {"metrics": {"enabled": False, "prometheusRule": {"enabled": True}}}
    assert render(off).all("PrometheusRule") == []


def test_metadata_is_that_of_the_values():
    """A Prometheus finds the rules by labels, in the namespace that the values name."""
    metadata = rendered(namespace="monitoring", labels={"release": "p"}, annotations={"a": "b"})["metadata"]
    assert (metadata["namespace"], metadata["labels"]["release"], metadata["annotations"]) == (
        "monitoring",
        "p",
        {"a": "b"},
    )
    assert rendered()["metadata"]["namespace"] == NAMESPACE


def test_a_disabled_alert_is_gone_and_nothing_else():
    """`disabled` takes away the alerts that it names with true; recording rules and other alerts stay."""
    groups = rendered(disabled={SKEW: True, TOO_OLD: False})["spec"]["groups"]
    left = [{**group, "rules": [rule for rule in group["rules"] if rule.get("alert") != SKEW]} for group in GROUPS]
    assert groups == [group for group in left if group["rules"]]
    assert SKEW in ALERTS


def test_a_group_without_rules_is_left_out():
    """A group of which every alert is disabled is not rendered, for an empty one says nothing."""
    group = next(group for group in GROUPS if all("alert" in rule for rule in group["rules"]))
    names = [
        each["name"] for each in rendered(disabled={rule["alert"]: True for rule in group["rules"]})["spec"]["groups"]
    ]
    assert names == [each["name"] for each in GROUPS if each is not group]


def test_an_override_replaces_what_it_names():
    """Each key of an override replaces that part of that alert; the rest of it and all others stay."""
    override = {
        "expr": "vector(1)",
        "for": "30m",
        "severity": "critical",
        "labels": {"team": "data"},
        "annotations": {"summary": "mine {{ $value }}", "dashboard": "tier"},
    }
    was = ALERTS[TOO_OLD]
    assert alerts(overrides={TOO_OLD: override}) == ALERTS | {
        TOO_OLD: was
        | {"expr": "vector(1)", "for": "30m"}
        | {"labels": was["labels"] | {"severity": "critical", "team": "data"}}
        | {"annotations": was["annotations"] | {"summary": "mine {{ $value }}", "dashboard": "tier"}}
    }


def test_an_override_of_nothing_changes_nothing():
    """Sections of which only the heading is left, and an empty override, render the rules of the files."""
    empty: dict[str, Any] = dict.fromkeys(("ruleLabels", "disabled", "overrides", "additionalGroups"))
    assert rendered(**empty)["spec"]["groups"] == GROUPS
    assert alerts(overrides={TOO_OLD: {}}) == ALERTS


def test_labels_of_all_alerts_are_on_alerts_alone():
    """`ruleLabels` are on each alert, an override's win, and recorded series have none of them."""
    groups = rendered(ruleLabels={"team": "markets"}, overrides={SKEW: {"labels": {"team": "ops"}}})["spec"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["alert"]: rule["labels"]["team"] for rule in rules if "alert" in rule} == dict.fromkeys(
        ALERTS, "markets"
    ) | {SKEW: "ops"}
    recorded = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
    assert recorded
    assert [rule for rule in rules if "record" in rule] == recorded


#: By which alerts differ; Prometheus and the chart set the first two.
DISTINGUISHING = sorted({"alertname", "severity"} | grouping_labels())


@pytest.mark.parametrize("label", DISTINGUISHING)
@pytest.mark.parametrize("where", ["ruleLabels", "override"])
def test_a_label_by_which_alerts_differ_is_refused(label: str, where: str):
    """No label of all alerts or of one may replace a label by which the rules group: with one value for two queues,
    Prometheus refuses the whole rule. The message names the label and everything that is refused.
    """
    values = {"ruleLabels": {label: "x"}} if where == "ruleLabels" else {"overrides": {SKEW: {"labels": {label: "x"}}}}
    key = "ruleLabels" if where == "ruleLabels" else f"overrides.{SKEW}.labels"
    message = refusal({"metrics": {"prometheusRule": values}})
    assert f"metrics.prometheusRule.{key}: {label} would overwrite a label by which alerts differ" in message
    assert f"use a name other than {', '.join(DISTINGUISHING)}" in message


def test_the_labels_by_which_rules_group_are_found_in_the_rule_files():
    """The list that the test above takes from the rule files has the labels of each kind of rule."""
    assert {"namespace", "release", "queue", "dataset", "provider", "server", "pod", "slo"} <= grouping_labels()


def test_runbooks_are_where_they_are_published():
    """`runbookUrl` takes the place of docs/runbooks in every alert, with or without a slash at its end."""
    for url in ("https://example.org/a/runbooks", "https://example.org/a/runbooks/"):
        assert {name: each["annotations"]["runbook_url"] for name, each in alerts(runbookUrl=url).items()} == {
            name: f"https://example.org/a/runbooks/{name}.md" for name in ALERTS
        }


def test_an_alerts_own_runbook_wins():
    """A runbook that an override names is not changed."""
    own = {SKEW: {"annotations": {"runbook_url": "https://wiki.example.org/clocks"}}}
    found = alerts(runbookUrl="https://example.org", overrides=own)
    assert found[SKEW]["annotations"]["runbook_url"] == "https://wiki.example.org/clocks"


def test_groups_of_ones_own_come_after_the_charts():
    """`additionalGroups` are rendered as they are."""
    mine = {
        "name": "mine",
        "interval": "1m",
        "rules": [{"alert": "Mine", "expr": "up == 0", "labels": {"a": "{{ 1 }}"}}],
    }
    assert rendered(additionalGroups=[mine])["spec"]["groups"] == [*GROUPS, mine]


def test_prometheus_takes_the_changed_rules(tmp_path: Path):
    """Prometheus's own checker finds no fault in the rules with every kind of change made."""
    (resource,) = render(OPTIONS["rules"]["changed"]).all("PrometheusRule")
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(resource["spec"]), encoding="utf-8")
    done = subprocess.run([promtool_path(), "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count = sum(len(group["rules"]) for group in resource["spec"]["groups"])
    assert f"{count} rules found" in done.stdout
