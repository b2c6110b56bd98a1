"""Tests of the chart's rules, sped up for tests with real processes."""

from pathlib import Path

import pytest
import yaml

from support import promql
from support.prometheus import MINIMUM_FOR_SECONDS, MINIMUM_RANGE_SECONDS, SCRAPE_SECONDS, speed_up_rules
from support.rules import RULE_FILES


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_speed_up_rules_keeps_durations_above_one_failed_scrape(path: Path) -> None:
    """An alert waits longer than two scrapes, and a range covers two scrapes in addition to a failed one."""
    rules = [rule for group in yaml.safe_load(speed_up_rules(path.read_text()))["groups"] for rule in group["rules"]]
    ranges = [selector.range for rule in rules for selector in promql.selectors(rule["expr"]) if selector.range]
    assert all(promql.seconds(rule["for"]) > 2 * SCRAPE_SECONDS for rule in rules if "for" in rule)
    assert all(promql.seconds(duration) >= 3 * SCRAPE_SECONDS for duration in ranges)


def test_speed_up_rules_divides_durations_and_keeps_thresholds() -> None:
    """Ranges, subqueries, offsets and `for` become 60 times shorter, down to the minimum. Thresholds do not change, and
    groups use the server's interval.
    """
    rule = {"alert": "A", "expr": "max_over_time(x[1h:5m] offset 30m) > 60 and rate(y[1m]) > 5", "for": "10m"}
    text = yaml.safe_dump({"groups": [{"name": "g", "interval": "2m", "rules": [rule, rule | {"for": "1m"}]}]})
    (group,) = yaml.safe_load(speed_up_rules(text))["groups"]
    fast, short = group["rules"]
    assert "interval" not in group
    assert (
        fast["expr"]
        == f"max_over_time(x[60s:{MINIMUM_RANGE_SECONDS}s] offset 30s) > 60 and rate(y[{MINIMUM_RANGE_SECONDS}s]) > 5"
    )
    assert (fast["for"], short["for"]) == ("10s", f"{MINIMUM_FOR_SECONDS}s")
