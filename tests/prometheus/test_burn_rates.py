"""Tests every threshold of the burn-rate alerts with promtool, using given shares instead of recorded ones."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.promtool import promtool_path
from support.rules import RULE_FILES

SLO_RULES = next(path for path in RULE_FILES if path.stem == "slo")
LIMIT_SECONDS = 570


@dataclass(frozen=True)
class Pair:
    """A long and a short window, and the percentage of bad events that both must exceed for an alert.

    Args:
        long: Long window, as a Prometheus duration.
        minutes: Length of the long window in minutes.
        short: Short window, as a Prometheus duration.
        percent: Threshold in percent.
    """

    long: str
    minutes: int
    short: str
    percent: float


@dataclass(frozen=True)
class Speed:
    """One of the two alerts of an objective.

    Args:
        name: Last word of the alert's name.
        severity: Severity of the alert.
        pairs: Pairs of windows. One of them is enough for the alert.
        step: Minutes between two evaluations, at most the alert's `for`.
        until: Minute at which the alerts are checked, which is after the end of the long windows.
    """

    name: str
    severity: str
    pairs: tuple[Pair, Pair]
    step: int
    until: int


FAST = Speed("Fast", "critical", (Pair("1h", 60, "5m", 14.4), Pair("6h", 360, "30m", 6)), step=1, until=370)
SLOW = Speed("Slow", "warning", (Pair("1d", 1_440, "2h", 3), Pair("3d", 4_320, "6h", 1)), step=15, until=4_350)


@pytest.mark.parametrize("speed", [FAST, SLOW], ids=lambda speed: speed.name)
@pytest.mark.parametrize("slo", ["freshness", "start", "success"])
def test_burn_rate_alert_fires_only_above_its_thresholds(slo: str, speed: Speed, tmp_path: Path) -> None:
    """An alert fires if both windows of a pair are above the threshold and the long window has three bad events. If one
    of the windows is below, or the third event is older, it does not fire. Freshness needs no minimum number of events.
    """
    series: dict[str, str] = {}
    firing = []
    for pair in speed.pairs:
        above, below = pair.percent * 1.02 / 100, pair.percent * 0.98 / 100
        for case, long, short, events in (
            ("above", above, above, 3),
            ("long-below", below, above, 3),
            ("short-below", above, below, 3),
            ("two-events", above, above, 2),
        ):
            release = f"{case}-{pair.long}"
            series |= _series(slo, release, speed, pair, {pair.long: long, pair.short: short}, events)
            if case == "above" or (case == "two-events" and slo == "freshness"):
                firing.append(release)
    done = _promtool(tmp_path, slo, speed, series, firing)
    assert done.returncode == 0, done.stdout + done.stderr


def _series(slo: str, release: str, speed: Speed, pair: Pair, shares: dict[str, float], events: int) -> dict[str, str]:
    labels = f'{{release="{release}", slo="{slo}"}}'
    constant = {
        f"release:financehub_slo_errors:ratio_rate{window}": 0.0 for other in speed.pairs for window in _windows(other)
    }
    constant |= {f"release:financehub_slo_errors:ratio_rate{window}": share for window, share in shares.items()}
    constant["release:financehub_slo_events:rate5m"] = 1.0
    # Each sample covers a minute. The first event is older than the long window, unless it is one of three.
    recent = speed.until - pair.minutes + speed.step + 1
    counts = [0] * (speed.until + 1)
    counts[recent] = events
    counts[recent - 2 * speed.step - 1] = 3 - events
    return {
        **{f"{name}{labels}": f"{value}x{speed.until}" for name, value in constant.items()},
        f"release:financehub_slo_bad_events:rate5m{labels}": " ".join(str(count / 60) for count in counts),
    }


def _windows(pair: Pair) -> tuple[str, str]:
    return pair.long, pair.short


def _promtool(
    folder: Path, slo: str, speed: Speed, series: dict[str, str], firing: list[str]
) -> "subprocess.CompletedProcess[str]":
    alert = f"FinanceHub{slo.capitalize()}BudgetBurn{speed.name}"
    labels = f'alertname="{alert}", alertstate="firing", severity="{speed.severity}", slo="{slo}"'
    document = {
        "rule_files": [str(SLO_RULES)],
        "evaluation_interval": f"{speed.step}m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": 'ALERTS{alertstate="firing"}',
                        "eval_time": f"{speed.until}m",
                        "exp_samples": [
                            {"labels": f'ALERTS{{{labels}, release="{release}"}}', "value": 1} for release in firing
                        ],
                    }
                ],
            }
        ],
    }
    path = folder / "test.yaml"
    path.write_text(json.dumps(document))
    return subprocess.run(
        [promtool_path(), "test", "rules", str(path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
