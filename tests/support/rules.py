"""The chart's Prometheus rules and the promtool tests beside them, as Python reads them."""

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
    """What one promtool test expects of one alert.

    Args:
        test: file and name of the test.
        alert: the alert's name.
        seconds: when, from the start of the test.
        fires: whether any alert is expected.
    """

    test: str
    alert: str
    seconds: float
    fires: bool


def rules() -> Iterator[Mapping[str, Any]]:
    """Every rule of every file, in order."""
    for path in RULE_FILES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, Mapping[str, Any]]:
    """Alert → its rule."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> set[str]:
    """Names of the recorded series."""
    return {rule["record"] for rule in rules() if "record" in rule}


def grouping_labels() -> set[str]:
    """Labels that tell the series of a rule apart: those by which rules group, and those of recorded series."""
    grouped = {label for rule in rules() for label in promql.grouping_labels(rule["expr"])}
    of_series = {label for rule in rules() if "record" in rule for label in rule.get("labels", {})}
    return grouped | of_series


@cache
def expectations() -> list[Expectation]:
    """What all promtool tests expect of alerts."""
    return [
        Expectation(
            f"{path.name}: {test['name']}", one["alertname"], promql.seconds(one["eval_time"]), "exp_alerts" in one
        )
        for path in RULE_TESTS
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for one in test.get("alert_rule_test", ())
    ]
