"""Reads the chart's Prometheus rules and their promtool tests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from support import promql

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/helm/financehub/files/rules"
RULE_FILES = sorted(RULES.glob("*.yaml"))
TESTS = ROOT / "tests/unit/monitoring/rules"
RULE_TESTS = sorted(TESTS.glob("*.yaml"))


@dataclass(frozen=True)
class Expectation:
    """A promtool test's expectation for one alert at one time.

    Args:
        test: File and name of the test.
        alert: Name of the alert.
        seconds: Time since the start of the test.
        fires: Whether the alert is expected to fire.
    """

    test: str
    alert: str
    seconds: float
    fires: bool


def rules() -> Iterator[Mapping[str, Any]]:
    """Yield every rule of every file, in order."""
    for path in RULE_FILES:
        for group in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, Mapping[str, Any]]:
    """Return name → rule of every alert."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> set[str]:
    """Return the names of the recorded series."""
    return {rule["record"] for rule in rules() if "record" in rule}


def grouping_labels() -> set[str]:
    """Return the labels that distinguish a rule's series: grouping labels and labels of recorded series."""
    grouped = {label for rule in rules() for label in promql.grouping_labels(rule["expr"])}
    of_series = {label for rule in rules() if "record" in rule for label in rule.get("labels", {})}
    return grouped | of_series


@cache
def expectations() -> list[Expectation]:
    """Return the expectations of all promtool tests for alerts."""
    return [
        Expectation(
            f"{path.name}: {test['name']}", case["alertname"], promql.seconds(case["eval_time"]), "exp_alerts" in case
        )
        for path in RULE_TESTS
        for test in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["tests"]
        for case in test.get("alert_rule_test", ())
    ]
