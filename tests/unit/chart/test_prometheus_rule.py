"""Tests that the PrometheusRule contains the rule files with the changes in the values."""

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

#: The groups of all rule files, in the order of the file names.
GROUPS: list[Document] = [
    group
    for path in RULE_FILES
    for group in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["groups"]
]
ALERTS: dict[str, Document] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
SKEW, TOO_OLD = "FinanceHubClockSkew", "FinanceHubQueueTooOld"


def rendered(**values: Any) -> Document:
    """Return the PrometheusRule with these values of `metrics.prometheusRule`."""
    (resource,) = render({"metrics": {"prometheusRule": {"enabled": True} | values}}).all("PrometheusRule")
    return resource


def alerts(**values: Any) -> dict[str, Document]:
    """Return the alerts of the PrometheusRule with these values, by name."""
    groups = rendered(**values)["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_rules_without_values_are_those_of_the_files():
    """Every group and rule is the same as in its file, including the templates of Prometheus."""
    groups = rendered()["spec"]["groups"]
    assert groups == GROUPS
    assert "{{ $labels.release }}" in json.dumps(groups)


def test_rules_are_not_rendered_unless_enabled():
    """There is no PrometheusRule by default, and none if metrics are disabled."""
    assert render().all("PrometheusRule") == []
    off = {"metrics": {"enabled": False, "prometheusRule": {"enabled": True}}}
    assert render(off).all("PrometheusRule") == []


def test_metadata_comes_from_the_values():
    """The PrometheusRule has the namespace, labels and annotations from the values."""
    metadata = rendered(namespace="monitoring", labels={"release": "p"}, annotations={"a": "b"})["metadata"]
    assert (metadata["namespace"], metadata["labels"]["release"], metadata["annotations"]) == (
        "monitoring",
        "p",
        {"a": "b"},
    )
    assert rendered()["metadata"]["namespace"] == NAMESPACE


def test_disabled_alert_is_removed_and_other_rules_remain():
    """`disabled` removes the alerts that it sets to true. Recording rules and other alerts remain."""
    groups = rendered(disabled={SKEW: True, TOO_OLD: False})["spec"]["groups"]
    remaining = [{**group, "rules": [rule for rule in group["rules"] if rule.get("alert") != SKEW]} for group in GROUPS]
    assert groups == [group for group in remaining if group["rules"]]
    assert SKEW in ALERTS


def test_group_without_rules_is_not_rendered():
    """If every alert of a group is disabled, the group is not rendered."""
    group = next(group for group in GROUPS if all("alert" in rule for rule in group["rules"]))
    names = [
        each["name"] for each in rendered(disabled={rule["alert"]: True for rule in group["rules"]})["spec"]["groups"]
    ]
    assert names == [each["name"] for each in GROUPS if each is not group]


def test_override_replaces_only_the_named_parts():
    """Each key of an override replaces that field of the alert. Everything else stays the same."""
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


def test_empty_override_changes_nothing():
    """Empty sections and an empty override render the rules in the files unchanged."""
    empty: dict[str, Any] = dict.fromkeys(("ruleLabels", "disabled", "overrides", "additionalGroups"))
    assert rendered(**empty)["spec"]["groups"] == GROUPS
    assert alerts(overrides={TOO_OLD: {}}) == ALERTS


def test_rule_labels_apply_to_alerts_only():
    """Each alert has the `ruleLabels`, unless an override replaces them. Recorded series do not have them."""
    groups = rendered(ruleLabels={"team": "markets"}, overrides={SKEW: {"labels": {"team": "ops"}}})["spec"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["alert"]: rule["labels"]["team"] for rule in rules if "alert" in rule} == dict.fromkeys(
        ALERTS, "markets"
    ) | {SKEW: "ops"}
    recorded = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
    assert recorded
    assert [rule for rule in rules if "record" in rule] == recorded


#: The labels that distinguish alerts. Prometheus and the chart set the first two.
DISTINGUISHING = sorted({"alertname", "severity"} | grouping_labels())


@pytest.mark.parametrize("label", DISTINGUISHING)
@pytest.mark.parametrize("where", ["ruleLabels", "override"])
def test_label_by_which_alerts_differ_is_refused(label: str, where: str):
    """Neither `ruleLabels` nor an override may replace a label by which the rules group, because Prometheus refuses a
    rule that yields two alerts with the same labels. The message names the label and lists all refused ones.
    """
    values = {"ruleLabels": {label: "x"}} if where == "ruleLabels" else {"overrides": {SKEW: {"labels": {label: "x"}}}}
    key = "ruleLabels" if where == "ruleLabels" else f"overrides.{SKEW}.labels"
    message = refusal({"metrics": {"prometheusRule": values}})
    assert f"metrics.prometheusRule.{key}: {label} would overwrite a label by which alerts differ" in message
    assert f"use a name other than {', '.join(DISTINGUISHING)}" in message


def test_grouping_labels_of_the_rule_files_are_complete():
    """The list that the previous test reads from the rule files contains the labels of each kind of rule."""
    assert {"namespace", "release", "queue", "dataset", "provider", "server", "pod", "slo"} <= grouping_labels()


def test_runbook_url_replaces_the_path_in_every_alert():
    """`runbookUrl` replaces docs/runbooks in every alert, with or without a slash at its end."""
    for url in ("https://example.org/a/runbooks", "https://example.org/a/runbooks/"):
        assert {name: each["annotations"]["runbook_url"] for name, each in alerts(runbookUrl=url).items()} == {
            name: f"https://example.org/a/runbooks/{name}.md" for name in ALERTS
        }


def test_runbook_of_an_override_takes_precedence():
    """A `runbook_url` in an override is not changed."""
    own = {SKEW: {"annotations": {"runbook_url": "https://wiki.example.org/clocks"}}}
    found = alerts(runbookUrl="https://example.org", overrides=own)
    assert found[SKEW]["annotations"]["runbook_url"] == "https://wiki.example.org/clocks"


def test_additional_groups_are_appended():
    """`additionalGroups` come after the files' groups and are not changed."""
    mine = {
        "name": "mine",
        "interval": "1m",
        "rules": [{"alert": "Mine", "expr": "up == 0", "labels": {"a": "{{ 1 }}"}}],
    }
    assert rendered(additionalGroups=[mine])["spec"]["groups"] == [*GROUPS, mine]


def test_prometheus_accepts_the_changed_rules(tmp_path: Path):
    """Promtool finds no problem in the rules with every kind of change."""
    (resource,) = render(OPTIONS["rules"]["changed"]).all("PrometheusRule")
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(resource["spec"]), encoding="utf-8")
    done = subprocess.run([promtool_path(), "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count = sum(len(group["rules"]) for group in resource["spec"]["groups"])
    assert f"{count} rules found" in done.stdout
