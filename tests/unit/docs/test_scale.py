"""Tests that docs/scale.md shows what the scale benchmarks have measured."""

import importlib
from pathlib import Path

import pytest

from bench import cases, points
from bench.charts import Chart, draw
from bench.rows import Row

ROOT = Path(__file__).parents[3]
CASES = sorted(path.stem for path in Path(cases.__file__).parent.glob("scale_*.py"))
MEASURED = sorted(path.stem for path in points.MEASURED.glob("*.json"))


@pytest.mark.parametrize("case", MEASURED)
def test_charts_in_the_documentation_show_the_stored_points(case: str) -> None:
    """The committed SVG is the one that the committed points give, and docs/scale.md shows it."""
    assert case in CASES
    name = f"{case.replace('_', '-')}.svg"
    drawn = draw(importlib.import_module(f"bench.cases.{case}").CHARTS, points.load(case))
    assert (points.IMAGES / name).read_text(encoding="utf-8") == drawn, f"run: make bench ONLY={case} PLOT=1"
    assert f"images/{name}" in (ROOT / "docs/scale.md").read_text(encoding="utf-8")


def test_a_second_measurement_replaces_its_sizes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points of sizes that were not measured again are kept, and points are ordered by size, not by name."""
    monkeypatch.setattr(points, "MEASURED", tmp_path)
    points.save("scale_x", [Row("scale.x.start.10000", 2, "s"), Row("scale.x.start.3000", 1, "s")])
    points.save("scale_x", [Row("scale.x.start.10000", 3, "s")])
    assert points.load("scale_x") == {"start": [(3_000, 1), (10_000, 3)]}


@pytest.mark.parametrize("name", ["scale.x.start", "scale.start.10", "other.x.start.10", "scale.x.start.ten"])
def test_a_row_without_figure_or_size_is_refused(name: str) -> None:
    """A row that no chart could show is an error that says which form it must have."""
    with pytest.raises(ValueError, match=r"name it scale\.<subject>\.<figure>\.<size>"):
        points.point_of(name)


def test_a_chart_without_points_is_left_out() -> None:
    """A case may declare charts that were not measured yet. A chart with one point only can be drawn, too."""
    charts = [Chart("first", "n", {"a": "one"}, goal=5), Chart("second", "n", {"b": "two"})]
    drawn = draw(charts, {"one": [(10, 1.0)]})
    assert "first" in drawn
    assert "second" not in drawn
