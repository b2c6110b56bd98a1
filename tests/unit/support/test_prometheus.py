"""The chart's rules, sped up for a test with real processes."""

from pathlib import Path

import pytest
import yaml

from support import promql
from support.prometheus import LEAST_FOR, LEAST_RANGE, SCRAPE_SECONDS, faster_rules
from support.rules import RULE_FILES


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_sped_up_rules_survive_one_failed_scrape(path: Path) -> None:
    """An alert waits for longer than two scrapes, and a range holds two scrapes besides a failed one."""
    rules = [rule for group in yaml.safe_load(faster_rules(path.read_text()))["groups"] for rule in group["rules"]]
    ranges = [each.range for rule in rules for each in promql.selectors(rule["expr"]) if each.range]
    assert all(promql.seconds(rule["for"]) > 2 * SCRAPE_SECONDS for rule in rules if "for" in rule)
    assert all(promql.seconds(each) >= 3 * SCRAPE_SECONDS for each in ranges)


def test_durations_are_divided_and_thresholds_stay() -> None:
    """Ranges, subqueries, offsets and `for` become 60 times shorter, down to the least; numbers do not. Groups follow
    the interval of the server.
    """
    rule = {"alert": "A", "expr": "max_over_time(x[1h:5m] offset 30m) > 60 and rate(y[1m]) > 5", "for": "10m"}
    text = yaml.safe_dump({"groups": [{"name": "g", "interval": "2m", "rules": [rule, rule | {"for": "1m"}]}]})
    (group,) = yaml.safe_load(faster_rules(text))["groups"]
    fast, short = group["rules"]
    assert "interval" not in group
    assert fast["expr"] == f"max_over_time(x[60s:{LEAST_RANGE}s] offset 30s) > 60 and rate(y[{LEAST_RANGE}s]) > 5"
    assert (fast["for"], short["for"]) == ("10s", f"{LEAST_FOR}s")
