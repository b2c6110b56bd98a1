"""Tests of the layout of each dashboard: 24 columns, no overlaps, no gaps, readable panels."""

from collections import Counter
from typing import Any

import pytest

from support.dashboards import load, panels

WIDTH = 24
HEIGHTS = range(4, 11)
#: Maximum height in grid units of a dashboard with closed rows, which is about three screens.
MAXIMUM_HEIGHT = 45
DASHBOARDS = load()
Cells = Counter[tuple[int, int]]


def cells(chosen: list[dict[str, Any]]) -> Cells:
    """Count the panels that cover each unit of the grid."""
    covered: Cells = Counter()
    for panel in chosen:
        place = panel["gridPos"]
        rows = range(place["y"], place["y"] + place["h"])
        covered.update((x, y) for y in rows for x in range(place["x"], place["x"] + place["w"]))
    return covered


def faults(covered: Cells) -> list[str]:
    """Return the overlaps, the gaps and the panels past the edge."""
    lines = {y for _, y in covered}
    expected = {(x, y) for x in range(WIDTH) for y in range(min(lines), max(lines) + 1)}
    found = [f"overlap at {cell}" for cell, times in covered.items() if times > 1]
    found += [f"gap at {cell}" for cell in expected - set(covered)]
    return found + [f"past the edge at {cell}" for cell in set(covered) - expected]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grid_of_a_dashboard_has_no_faults(name: str) -> None:
    """With all rows open or closed as stored, every unit of the grid belongs to exactly one panel or row."""
    assert faults(cells(DASHBOARDS[name]["panels"])) == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grid_of_a_collapsed_row_has_no_faults(name: str) -> None:
    """The panels of a collapsed row also form a grid without faults, directly below the row."""
    for row in DASHBOARDS[name]["panels"]:
        if row["type"] == "row" and row["collapsed"]:
            assert faults(cells(row["panels"])) == []
            assert min(panel["gridPos"]["y"] for panel in row["panels"]) == row["gridPos"]["y"] + 1


@pytest.mark.parametrize("name", DASHBOARDS)
def test_heights_and_length_stay_within_bounds(name: str) -> None:
    """No panel is too flat or fills the screen, and the open panels fit on three screens."""
    heights = {panel["title"]: panel["gridPos"]["h"] for panel in panels(DASHBOARDS[name])}
    assert {title: height for title, height in heights.items() if height not in HEIGHTS} == {}
    assert max(y for _, y in cells(DASHBOARDS[name]["panels"])) < MAXIMUM_HEIGHT


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
def test_faults_of_an_invalid_grid_are_found(change: dict[str, int], fault: str) -> None:
    """Overlaps, gaps and panels past the edge are all found."""
    left, right = ({"gridPos": {"x": x, "y": 0, "w": 12, "h": 4}} for x in (0, 12))
    changed = right if "x" in change else left
    changed["gridPos"].update(change)
    assert [found for found in faults(cells([left, right])) if found.startswith(fault)]
