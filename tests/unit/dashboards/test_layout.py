"""The grid of each dashboard: 24 columns, no overlaps, no gaps, panels that can be read."""

from collections import Counter
from typing import Any

import pytest

from support.dashboards import load, panels

WIDTH = 24
HEIGHTS = range(4, 11)
#: Grid units that are visible when a dashboard opens; about three screens.
LONGEST = 45
DASHBOARDS = load()
Cells = Counter[tuple[int, int]]


def cells(some: list[dict[str, Any]]) -> Cells:
    """How many panels cover each unit of the grid."""
    covered: Cells = Counter()
    for panel in some:
        place = panel["gridPos"]
        rows = range(place["y"], place["y"] + place["h"])
        covered.update((x, y) for y in rows for x in range(place["x"], place["x"] + place["w"]))
    return covered


def faults(covered: Cells) -> list[str]:
    """Overlaps, gaps and panels past the edge."""
    lines = {y for _, y in covered}
    wanted = {(x, y) for x in range(WIDTH) for y in range(min(lines), max(lines) + 1)}
    found = [f"overlap at {cell}" for cell, times in covered.items() if times > 1]
    found += [f"gap at {cell}" for cell in wanted - set(covered)]
    return found + [f"past the edge at {cell}" for cell in set(covered) - wanted]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grid_is_covered_once(name: str) -> None:
    """With all rows as they are stored, every unit of the grid belongs to one panel or row."""
    assert faults(cells(DASHBOARDS[name]["panels"])) == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_collapsed_rows_are_covered_once(name: str) -> None:
    """The panels of a collapsed row are a grid without faults too, right below the row."""
    for row in DASHBOARDS[name]["panels"]:
        if row["type"] == "row" and row["collapsed"]:
            assert faults(cells(row["panels"])) == []
            assert min(panel["gridPos"]["y"] for panel in row["panels"]) == row["gridPos"]["y"] + 1


@pytest.mark.parametrize("name", DASHBOARDS)
def test_heights_and_length_stay_within_bounds(name: str) -> None:
    """No panel is too flat to read or fills the screen, and the panels that are open fit on three screens."""
    heights = {panel["title"]: panel["gridPos"]["h"] for panel in panels(DASHBOARDS[name])}
    assert {title: height for title, height in heights.items() if height not in HEIGHTS} == {}
    assert max(y for _, y in cells(DASHBOARDS[name]["panels"])) < LONGEST


@pytest.mark.parametrize("name", DASHBOARDS)
def test_ids_are_unique_and_follow_reading_order(name: str) -> None:
    """Ids count from 1 in reading order, so that the diff of an inserted panel is clear."""
    ids = []
    for panel in DASHBOARDS[name]["panels"]:
        ids += [panel["id"], *(inner["id"] for inner in panel.get("panels", []))]
    assert ids == list(range(1, len(ids) + 1))


@pytest.mark.parametrize(
    ("change", "fault"), [({"w": 13}, "overlap"), ({"w": 11}, "gap"), ({"w": 13, "x": 12}, "past the edge")]
)
def test_faults_of_a_grid_are_noticed(change: dict[str, int], fault: str) -> None:
    """Overlaps, gaps and panels past the edge are all found."""
    left, right = ({"gridPos": {"x": x, "y": 0, "w": 12, "h": 4}} for x in (0, 12))
    changed = right if "x" in change else left
    changed["gridPos"].update(change)
    assert [each for each in faults(cells([left, right])) if each.startswith(fault)]
