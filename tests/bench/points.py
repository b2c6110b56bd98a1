"""The measured points of the scale benchmarks, which are committed, so that docs/scale.md shows what was measured.

A case whose name begins with `scale_` measures one figure at several sizes. Each of its rows is named
`scale.<subject>.<figure>.<size>`, for example `scale.schedules.start.10000`. `make bench ONLY=scale PLOT=1` stores the
rows in `tests/bench/measured/<case>.json` and draws `docs/images/<case>.svg` from them.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from bench.rows import Row

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).parent / "measured"
IMAGES = ROOT / "docs" / "images"
PREFIX = "scale_"

#: figure → its points (size, value), ascending by size.
Points = dict[str, list[tuple[float, float]]]


def save(case: str, rows: Iterable[Row]) -> None:
    """Store the rows of a case. Rows of sizes that were not measured this time are kept."""
    path = MEASURED / f"{case}.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stored |= {row.name: {"value": float(f"{row.value:.4g}"), "unit": row.unit} for row in rows}
    MEASURED.mkdir(exist_ok=True)
    path.write_text(json.dumps(dict(sorted(stored.items(), key=_order)), indent=1) + "\n", encoding="utf-8")


def load(case: str) -> Points:
    """Return the stored points of a case; an empty result if it was never measured."""
    path = MEASURED / f"{case}.json"
    points: Points = {}
    if path.exists():
        for name, entry in sorted(json.loads(path.read_text(encoding="utf-8")).items(), key=_order):
            figure, size = point_of(name)
            points.setdefault(figure, []).append((size, entry["value"]))
    return points


def _order(item: tuple[str, object]) -> tuple[str, float]:
    return point_of(item[0])


def point_of(name: str) -> tuple[str, float]:
    """Return the figure and the size of a row name."""
    head, _, size = name.rpartition(".")
    scale, _, rest = head.partition(".")
    _, _, figure = rest.partition(".")
    if scale != "scale" or not figure or not size.isdecimal():
        raise ValueError(f"the row {name!r} has another form; name it scale.<subject>.<figure>.<size>")
    return figure, float(size)
