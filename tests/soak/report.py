"""Writes what a soak has shown: a summary in Markdown, its figures as JSON, and charts."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from soak.accounts import Attempt
from soak.inflicted import Inflicted
from soak.plots import Plot, draw
from soak.samples import Sample
from soak.site import TIERS
from soak.trend import Point
from soak.verdict import Row

_MIB = 1_048_576.0
_OTHERS = ("scheduler", "web", "redis", "simulator")
_RATE_SECONDS = 10
_SHOWN_FINDINGS = 30
_SHOWN_KINDS = 5


@dataclass
class Outcome:
    """What a soak has shown.

    Args:
        title: What it consisted of, in one line.
        begin: Its begin in Unix seconds.
        inflicted: The faults.
        counts: What was counted.
        repeated: Name of a fault → number of runs that it repeated, as documented.
        rows: The growth of each figure.
        findings: What must not be.
    """

    title: str
    begin: float
    inflicted: list[Inflicted] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    rows: list[Row] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def all_findings(self) -> list[str]:
        """All findings, with the figures that grow."""
        return [*self.findings, *(f"growth: {' '.join(row.cells()[:6])}" for row in self.rows if row.grows)]


def write_report(outcome: Outcome, samples: Sequence[Sample], attempts: Iterable[Attempt], folder: Path) -> None:
    """Write `summary.md`, `result.json` and two files of charts.

    Args:
        outcome: What the soak has shown.
        samples: Its samples.
        attempts: Its attempts.
        folder: Folder of the files.
    """
    (folder / "summary.md").write_text(summary(outcome), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(_as_json(outcome), indent=1) + "\n", encoding="utf-8")
    faults = [each.begin for each in outcome.inflicted]
    for name, plots in (("processes", _of_processes(samples)), ("load", _of_load(samples, attempts))):
        (folder / f"soak-{name}.svg").write_text(draw(plots, outcome.begin, faults), encoding="utf-8")


def summary(outcome: Outcome) -> str:
    """Return the summary in Markdown."""
    findings = outcome.all_findings
    lines = ["# Soak", "", outcome.title, "", f"Findings: {len(findings) or 'none'}", ""]
    lines += [f"- {each}" for each in findings[:_SHOWN_FINDINGS]]
    if len(findings) > _SHOWN_FINDINGS:
        kinds = Counter(each.partition(":")[0] for each in findings)
        lines.append(f"- … by kind: {', '.join(f'{name} {count}' for name, count in kinds.most_common())}")
    lines += ["", "## Runs", "", *_table(("counted", "number"), _counted(outcome)), "", "## Faults", ""]
    lines += _table(("fault", "times", "longest, s", "recovery, median s", "longest, s"), _by_fault(outcome.inflicted))
    head = ("process or data", "figure", "lifetimes", "minutes", "level", "slope per hour", "tolerance", "verdict")
    lines += ["", "## Growth", "", *_table(head, [row.cells() for row in outcome.rows])]
    return "\n".join([*lines, ""])


def _counted(outcome: Outcome) -> list[list[str]]:
    counted = [[name, f"{count:,}"] for name, count in outcome.counts.items()]
    return counted + [[f"runs repeated by: {name}", f"{count:,}"] for name, count in sorted(outcome.repeated.items())]


def _by_fault(inflicted: Sequence[Inflicted]) -> list[list[str]]:
    by_name: dict[str, list[Inflicted]] = {}
    for each in inflicted:
        by_name.setdefault(each.name, []).append(each)
    rows = []
    for name, group in sorted(by_name.items()):
        recoveries = [each.recovered - each.end for each in group]
        figures = (max(each.end - each.begin for each in group), median(recoveries), max(recoveries))
        rows.append([name, f"{len(group)}", *(f"{figure:.1f}" for figure in figures)])
    return rows


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _as_json(outcome: Outcome) -> dict[str, Any]:
    rows = [asdict(row) | {"verdict": row.verdict} for row in outcome.rows]
    faults = [
        {"name": each.name, "note": each.note, "begin": each.begin, "end": each.end, "recovered": each.recovered}
        for each in outcome.inflicted
    ]
    return {
        "title": outcome.title,
        "begin": outcome.begin,
        "counts": outcome.counts,
        "repeated": outcome.repeated,
        "findings": outcome.all_findings,
        "faults": faults,
        "rows": rows,
    }


def _of_processes(samples: Sequence[Sample]) -> list[Plot]:
    figures = (
        ("pss", "Memory of a pod, PSS (MiB)", _MIB),
        ("descriptors", "Open files of a pod", 1.0),
        ("sockets", "Sockets of a pod", 1.0),
        ("threads", "Threads of a pod", 1.0),
    )
    plots = []
    for figure, title, unit in figures:
        by_component = _pod_totals(samples, figure, unit)
        for names, part in ((TIERS, "tiers"), (_OTHERS, "others")):
            plots.append(Plot(f"{title}: {part}", {name: by_component.get(name, []) for name in names}))
    series = _pod_series(samples)
    return [*plots, Plot("Metric series of a pod", {name: series[name] for name in sorted(series)})]


def _of_load(samples: Sequence[Sample], attempts: Iterable[Attempt]) -> list[Plot]:
    def over_time(read: Callable[[Sample], float | None]) -> list[list[Point]]:
        return [[(sample.at, value) for sample in samples if (value := read(sample)) is not None]]

    def figure(name: str, unit: float) -> list[list[Point]]:
        return over_time(lambda sample: sample.redis[name] / unit if name in sample.redis else None)

    last = next((sample.kinds for sample in reversed(samples) if sample.kinds), {})
    largest = [name for name, _ in Counter(last).most_common(_SHOWN_KINDS)]
    kinds = {
        name.removeprefix("financehub:"): over_time(lambda sample, name=name: sample.kinds.get(name))  # type: ignore[misc]
        for name in largest
    }
    ready = {
        name: over_time(lambda sample, name=name: sample.queues[name]["ready"] if name in sample.queues else None)  # type: ignore[misc]
        for name in TIERS
    }
    return [
        Plot("Recorded runs per second", {"all": [_rate(attempts)]}),
        Plot("Waiting messages", ready),
        Plot("Memory of the data in Redis (MiB)", {"all": figure("used_memory", _MIB)}),
        Plot("Connections of Redis", {"all": figure("clients", 1)}),
        Plot("Keys of Redis", {"all": figure("keys", 1)}),
        Plot("Keys of Redis by kind, the largest", kinds),
    ]


def _pod_totals(samples: Sequence[Sample], figure: str, unit: float) -> dict[str, list[list[Point]]]:
    """Return component → for each pod, the sum over its processes."""
    totals: dict[tuple[str, str], dict[float, float]] = {}
    for sample in samples:
        for process in sample.processes:
            times = totals.setdefault((process.component, process.pod), {})
            times[sample.at] = times.get(sample.at, 0.0) + getattr(process, figure) / unit
    return _by_component({key: list(times.items()) for key, times in totals.items()})


def _pod_series(samples: Sequence[Sample]) -> dict[str, list[list[Point]]]:
    components = {process.pod: process.component for sample in samples for process in sample.processes}
    points: dict[tuple[str, str], list[Point]] = {}
    for sample in samples:
        for pod, series in sample.series.items():
            points.setdefault((components.get(pod, "?"), pod), []).append((sample.at, float(series)))
    return _by_component(points)


def _by_component(points: Mapping[tuple[str, str], list[Point]]) -> dict[str, list[list[Point]]]:
    found: dict[str, list[list[Point]]] = {}
    for (component, _), life in points.items():
        found.setdefault(component, []).append(life)
    return found


def _rate(attempts: Iterable[Attempt]) -> list[Point]:
    counts = Counter(int(each.at) // _RATE_SECONDS for each in attempts)
    if not counts:
        return []
    # The first and the last interval are not complete.
    return [
        ((slot + 0.5) * _RATE_SECONDS, counts[slot] / _RATE_SECONDS) for slot in range(min(counts) + 1, max(counts))
    ]
