"""The grid: sections below each other, panels at their places, ids in reading order."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from dashboards import links, variables
from dashboards.naming import DASHBOARDS

WIDTH = 24


@dataclass(frozen=True)
class Line:
    """Panels side by side.

    Args:
        height: in units of the grid, 30 pixels each.
        panels: width → panel pairs from left to right; the widths add up to 24. A list in place of a panel is a
            column of panels below each other, which share the height.
    """

    height: int
    panels: Sequence[tuple[int, dashboard.Panel | list[dashboard.Panel]]]


@dataclass(frozen=True)
class Section:
    """A row of the dashboard: a question, and the panels that answer it.

    Args:
        title: the question; without one the panels are at the top, without a row.
        lines: the panels.
        collapsed: whether the row opens on a click; for panels that are needed only after the rest.
    """

    title: str | None
    lines: Sequence[Line]
    collapsed: bool = False


def assemble(
    uid: str, description: str, sections: Sequence[Section], *, period: str, with_tier: bool = False
) -> dashboard.Dashboard:
    """Put a dashboard together.

    Args:
        uid: its uid.
        description: what it is for, in a sentence.
        sections: its panels.
        period: how far back it looks, such as `6h`.
        with_tier: whether it shows one tier.
    """
    builder = builders.Dashboard(DASHBOARDS[uid]).uid(uid).description(description).tags(["financehub"]).readonly()
    builder.timezone("browser").time(f"now-{period}", "now").refresh("30s")
    builder.tooltip(dashboard.DashboardCursorSync.CROSSHAIR).links(links.header(uid))
    made = builder.build()
    chosen = [variables.datasource().build(), variables.namespace().build(), variables.release().build()]
    tier = [variables.tier().build()] if with_tier else []
    made.templating.list_val = [*chosen, *tier, variables.runbooks()]
    made.panels = _place(sections)
    return made


def _place(sections: Sequence[Section]) -> list[dashboard.Panel | dashboard.RowPanel]:
    placed: list[dashboard.Panel | dashboard.RowPanel] = []
    top, number = 0, 0
    for section in sections:
        row = None
        if section.title is not None:
            number += 1
            place = dashboard.GridPos(h=1, w=WIDTH, x=0, y=top)
            row = dashboard.RowPanel(collapsed=section.collapsed, title=section.title, grid_pos=place, id_val=number)
            placed.append(row)
            top += 1
        begin = top
        for line in section.lines:
            for panel in _line(line, top):
                number += 1
                panel.id_val = number
                (row.panels if row is not None and row.collapsed else placed).append(panel)
            top += line.height
        if section.collapsed:
            # a closed row takes one unit; Grafana moves the rest when it opens
            top = begin
    return placed


def _line(line: Line, top: int) -> list[dashboard.Panel]:
    found, left = [], 0
    for width, cell in line.panels:
        column = cell if isinstance(cell, list) else [cell]
        height = line.height // len(column)
        for index, panel in enumerate(column):
            panel.grid_pos = dashboard.GridPos(h=height, w=width, x=left, y=top + index * height)
            found.append(panel)
        left += width
    return found
