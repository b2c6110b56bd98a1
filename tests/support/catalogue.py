"""The metric catalogue: the tables of docs/metrics.md, read in one place."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
#: Labels that the process writes on every series.
COMMON_LABELS = frozenset({"release", "component"})
_NAME = re.compile(r"`((?:financehub|process)_\w+)`")
_HISTOGRAM_PARTS = ("_bucket", "_count", "_sum")


@dataclass(frozen=True)
class Row:
    """One metric of the catalogue.

    Args:
        name: as the page writes it, with the `_total` of a counter.
        kind: `counter`, `gauge`, `histogram`; empty where the client library decides.
        labels: its labels, without those that every series has.
        by_schedulers: whether every scheduler serves it, so that two of them serve the same figure twice.
        text: the line of the table.
    """

    name: str
    kind: str
    labels: frozenset[str]
    by_schedulers: bool
    text: str

    @property
    def family(self) -> str:
        """The name as a client parses it, without the `_total` of a counter."""
        return self.name.removesuffix("_total")

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series that are served; a histogram is served as three."""
        return tuple(self.name + part for part in (_HISTOGRAM_PARTS if self.kind == "histogram" else ("",)))


@cache
def rows() -> tuple[Row, ...]:
    """Every metric that the page names, in its order."""
    found = []
    of_schedulers = False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            of_schedulers = "(scheduler" in line
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `") or len(cells) < 4:
            continue
        labels = frozenset(re.findall(r"`(\w+)`", cells[2]))
        by_schedulers = of_schedulers or "fleet" in line or cells[3] == "scheduler"
        found += [Row(name, cells[1], labels, by_schedulers, line) for name in _NAME.findall(cells[0])]
    return tuple(found)


def series() -> dict[str, Row]:
    """Name of each served series → its row."""
    return {name: row for row in rows() for name in row.series}


def families() -> dict[str, tuple[str, frozenset[str]]]:
    """Name of each of our families → (type, labels); those of the process collector are left out."""
    return {row.family: (row.kind, row.labels) for row in rows() if row.name.startswith("financehub_")}
