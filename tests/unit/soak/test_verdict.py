"""The verdict of a soak names what grows, whatever it is, and the report shows it."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soak.accounts import Attempt, Disturbance
from soak.inflicted import Inflicted
from soak.planted import BUGS, not_found
from soak.plots import Plot, draw
from soak.report import Outcome, summary, write_report
from soak.samples import ProcessSample, Sample
from soak.trend import Trend
from soak.verdict import Row, Rules

_MIB = 1_048_576
_RATE = 50.0
_BEGIN = 1_700_000_000.0
_MAIN = ProcessSample("research", "main", "research-a", 10, 5, 60 * _MIB, 30 * _MIB, 12, 4, 3)
_CHILD = replace(_MAIN, role="child", pid=11, rss=90 * _MIB, pss=60 * _MIB, descriptors=30, sockets=12, threads=11)
_KINDS = {"financehub:run:*": 10_080, "financehub:schedule:*": 10_000}
Change = Callable[[Sample, float], Sample]


def soak(minutes: float, change: Change = lambda sample, _: sample) -> list[Sample]:
    """Return the samples of a soak with noise, each changed by a function of the sample and the hours."""
    generator, samples = random.Random(3), []
    for number in range(int(minutes * 12)):
        noise = generator.randint(-_MIB // 4, _MIB // 4)
        processes = (_MAIN, replace(_CHILD, rss=_CHILD.rss + noise, pss=_CHILD.pss + noise))
        redis = {"used_memory": 90 * _MIB + noise, "clients": 60 + number % 3, "keys": 45_000 + number % 7}
        queues = {"research": {"ready": number % 5, "held": number % 5, "delayed": 0, "dead": 0}}
        sample = Sample(_BEGIN + 5 * number, processes, {"research-a": 170}, redis, dict(_KINDS), queues)
        samples.append(change(sample, number / 720))
    return samples


def leak(figure: str, per_hour: float) -> Change:
    """Return a leak of the process that runs the tasks."""

    def change(sample: Sample, hours: float) -> Sample:
        main, child = sample.processes
        leaking = replace(child, **{figure: getattr(child, figure) + int(per_hour * hours)})
        return replace(sample, processes=(main, leaking))

    return change


def grown(rows: list[Row]) -> set[tuple[str, str]]:
    """Return what grows."""
    return {(row.subject, row.figure) for row in rows if row.grows}


@pytest.mark.parametrize("minutes", [6, 60])
def test_steady_soak_has_no_growth(minutes: float) -> None:
    """Noise, connections that come and go, and short queues are not growth."""
    rows = Rules(minutes, _RATE).judge(soak(minutes))
    assert rows
    assert grown(rows) == set()


@pytest.mark.parametrize(
    ("figure", "per_hour"),
    [("rss", 10 * _MIB), ("pss", 10 * _MIB), ("descriptors", 6), ("sockets", 6), ("threads", 4)],
)
def test_leak_of_a_process_is_found_in_an_hour(figure: str, per_hour: float) -> None:
    """A slow leak of each figure is found, and no other figure is blamed."""
    assert grown(Rules(60, _RATE).judge(soak(60, leak(figure, per_hour)))) == {("research child", figure)}


@pytest.mark.parametrize(
    ("figure", "per_hour"), [("pss", 120 * _MIB), ("descriptors", 600), ("sockets", 600), ("threads", 300)]
)
def test_fast_leak_of_a_process_is_found_in_a_short_soak(figure: str, per_hour: float) -> None:
    """The soak of CI finds a leak of two MiB, or of some descriptors, a minute."""
    assert grown(Rules(6, _RATE).judge(soak(6, leak(figure, per_hour)))) == {("research child", figure)}


def test_growing_series_and_keys_and_queues_are_found() -> None:
    """Metric series, keys of a kind that is not known, and queues that fill are found."""

    def change(sample: Sample, hours: float) -> Sample:
        more = int(1_000 * hours)
        queues = {"research": {**sample.queues["research"], "ready": more}}
        kinds = {**_KINDS, "financehub:new:*": 5 + more}
        return replace(sample, series={"research-a": 170 + more}, kinds=kinds, queues=queues)

    assert grown(Rules(60, _RATE).judge(soak(60, change))) == {
        ("research main", "series"),
        ("Redis keys", "financehub:new:*"),
        ("queue research", "ready"),
    }


def test_growth_by_design_is_within_tolerance() -> None:
    """The records of the runs of the product grow for a week, which is documented."""

    def change(sample: Sample, hours: float) -> Sample:
        return replace(sample, kinds={**_KINDS, "financehub:run:*": 10_080 + int(130 * hours)})

    (row,) = [row for row in Rules(60, _RATE).judge(soak(60, change)) if row.figure == "financehub:run:*"]
    assert row.verdict == "within tolerance"


@pytest.mark.parametrize("minutes", [5, 40])
def test_records_of_runs_do_not_grow_until_as_many_as_are_kept_exist(minutes: float) -> None:
    """With 8 messages per second, 21 minutes of runs are kept, so a short soak does not judge their number."""

    def change(sample: Sample, hours: float) -> Sample:
        runs = min(10_080, int(8 * 3600 * hours))
        return replace(sample, kinds={**_KINDS, "financehub:run:*": runs}, redis={**sample.redis, "keys": 2_000 + runs})

    assert grown(Rules(minutes, 8).judge(soak(minutes, change))) == set()


def test_process_that_restarts_with_each_leak_is_found() -> None:
    """A process that leaks and is killed every six minutes never gets large, but it is found.

    It gains 6 MiB after the warm-up of each life, more than a process may gain once.
    """

    def change(sample: Sample, hours: float) -> Sample:
        life = int(hours * 10)
        main, child = sample.processes
        leaking = replace(child, pid=100 + life, pss=child.pss + int(120 * _MIB * (hours - life / 10)))
        return replace(sample, processes=(main, leaking))

    assert ("research child", "pss") in grown(Rules(60, _RATE).judge(soak(60, change)))


def test_gain_at_the_start_of_each_life_is_not_a_leak() -> None:
    """A process that gains 2 MiB and is killed after six minutes has the rate of a leak, but not its gain."""

    def change(sample: Sample, hours: float) -> Sample:
        life = int(hours * 10)
        main, child = sample.processes
        warm = replace(child, pid=100 + life, pss=child.pss + int(20 * _MIB * (hours - life / 10)))
        return replace(sample, processes=(main, warm))

    assert grown(Rules(60, _RATE).judge(soak(60, change))) == set()


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_reported_unless_it_shows(bug: str) -> None:
    """A soak in which one planted bug does not show says which."""

    def change(sample: Sample, hours: float) -> Sample:
        main, child = sample.processes
        more = {"memory": "pss", "descriptors": "descriptors", "connections": "sockets", "threads": "threads"}
        leaks: dict[str, Any] = {
            figure: int(getattr(child, figure) + 10_000_000_000 * hours) for name, figure in more.items() if name != bug
        }
        series = {"research-a": 170 + int(4_000 * hours) * (bug != "series")}
        kinds = {**_KINDS, "research:leak:*": 10 + int(4_000 * hours) * (bug != "keys")}
        return replace(sample, processes=(main, replace(child, **leaks)), series=series, kinds=kinds)

    rows = Rules(10, _RATE).judge(soak(10, change))
    outcome = Outcome("", _BEGIN, rows=rows, findings=[] if bug == "lost-run" else ["lost: 3 runs"])
    assert not_found(outcome) == [bug]


def inflicted() -> Inflicted:
    """Return a fault."""
    disturbance = Disturbance("worker pod killed", _BEGIN + 60, _BEGIN + 75, repeats=True)
    return Inflicted("worker pod killed", "research-a", _BEGIN + 60, _BEGIN + 61, _BEGIN + 75, disturbance)


def test_report_contains_findings_faults_and_growth(tmp_path: Path) -> None:
    """The summary names what grows, the JSON can be read, and both charts are drawn."""
    samples = soak(60, leak("descriptors", 60))
    rows = Rules(60, _RATE).judge(samples)
    outcome = Outcome("60 minutes", _BEGIN, [inflicted()], rows=rows, findings=["lost: one run"])
    outcome.counts["runs"] = 1_234
    attempts = [Attempt(f"r{number}", _BEGIN + number / 50, "research-a") for number in range(5_000)]
    write_report(outcome, samples, attempts, tmp_path)
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "Findings: 2" in text
    assert "- lost: one run" in text
    assert "- growth: research child descriptors" in text
    assert "| worker pod killed | 1 | 1.0 | 14.0 | 14.0 |" in text
    assert "| runs | 1,234 |" in text
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["faults"][0]["note"] == "research-a"
    for name in ("processes", "load"):
        assert "<polyline" in (tmp_path / f"soak-{name}.svg").read_text(encoding="utf-8")


def test_summary_without_findings_says_so() -> None:
    """A good soak is recognized at its head."""
    assert "Findings: none" in summary(Outcome("", _BEGIN))


def test_chart_does_not_connect_lifetimes() -> None:
    """Two processes of one component are two lines of one color."""
    lives = [[(_BEGIN, 1.0), (_BEGIN + 60, 2.0)], [(_BEGIN + 120, 1.0), (_BEGIN + 180, 3.0)]]
    text = draw([Plot("a < b", {"high": lives}), Plot("empty", {"high": []})], _BEGIN, [_BEGIN + 30])
    assert text.count("<polyline") == 2
    assert "a &lt; b" in text
    assert "empty" not in text


@pytest.mark.parametrize(
    ("low", "slope", "high", "rises", "verdict"),
    [
        (-1.0, 0.0, 1.0, False, "flat"),
        (1.0, 2.0, 3.0, True, "within tolerance"),
        (3.0, 5.0, 9.0, True, "within tolerance"),
        (5.0, 7.0, 9.0, False, "levels off"),
        (5.0, 7.0, 9.0, True, "**grows**"),
    ],
)
def test_verdict_says_that_a_figure_above_its_tolerance_levels_off(
    low: float, slope: float, high: float, rises: bool, verdict: str
) -> None:
    """Only an interval that is not above the tolerance is within it."""
    assert Row("high main", "rss", Trend(1, 3_600, 3_600, 100, slope, low, high, rises), 4.0).verdict == verdict


def test_cache_that_is_filled_once_levels_off() -> None:
    """Memory that rises steeply for a quarter and then stays is above its tolerance, but it does not grow."""

    def change(sample: Sample, hours: float) -> Sample:
        return replace(sample, series={"research-a": 170 + int(800 * (1 - 0.5 ** (hours * 12)))})

    (row,) = [row for row in Rules(60, _RATE).judge(soak(60, change)) if row.figure == "series"]
    assert not row.grows
    assert row.verdict == "levels off"
