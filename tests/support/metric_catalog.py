"""Reads the metric catalog from the tables of docs/metrics.md."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
#: Labels that the process adds to every series.
COMMON_LABELS = frozenset({"release", "component"})
_NAME = re.compile(r"`((?:financehub|process)_\w+)`")
_HISTOGRAM_PARTS = ("_bucket", "_count", "_sum")


@dataclass(frozen=True)
class Row:
    """A metric of the catalog.

    Args:
        name: Name as on the page, with a counter's `_total` suffix.
        kind: `counter`, `gauge` or `histogram`, or empty if the client library decides.
        labels: Labels of the metric, without those that every series has.
        by_schedulers: Whether every scheduler serves the metric, so that two schedulers serve the same value twice.
        text: The row as text.
    """

    name: str
    kind: str
    labels: frozenset[str]
    by_schedulers: bool
    text: str

    @property
    def family(self) -> str:
        """The name as a client parses it, without a counter's `_total` suffix."""
        return self.name.removesuffix("_total")

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series that are served. A histogram is served as three series."""
        return tuple(self.name + part for part in (_HISTOGRAM_PARTS if self.kind == "histogram" else ("",)))


@cache
def rows() -> tuple[Row, ...]:
    """Return every metric of the page, in the order of the page."""
    parsed = []
    of_schedulers = False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            of_schedulers = "(scheduler" in line
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `") or len(cells) < 4:
            continue
        labels = frozenset(re.findall(r"`(\w+)`", cells[2]))
        by_schedulers = of_schedulers or "fleet" in line or cells[3] == "scheduler"
        parsed += [Row(name, cells[1], labels, by_schedulers, line) for name in _NAME.findall(cells[0])]
    return tuple(parsed)


def series() -> dict[str, Row]:
    """Return name → row of each served series."""
    return {name: row for row in rows() for name in row.series}


def families() -> dict[str, tuple[str, frozenset[str]]]:
    """Return name → (type, labels) of each FinanceHub family, without those of the process collector."""
    return {row.family: (row.kind, row.labels) for row in rows() if row.name.startswith("financehub_")}
