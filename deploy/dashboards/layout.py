"""Arranges the panels of a dashboard in sections and lines, and numbers them in reading order."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from dashboards import links, variables
from dashboards.naming import DASHBOARDS

WIDTH = 24


@dataclass(frozen=True)
class Line:
    """A line of panels side by side.

    Args:
        height: Height in grid units of 30 pixels each.
        panels: Pairs of width and panel, from left to right. The widths add up to 24. A list in place of a panel is a
        column of stacked panels that share the height.
    """

    height: int
    panels: Sequence[tuple[int, dashboard.Panel | list[dashboard.Panel]]]


@dataclass(frozen=True)
class Section:
    """A row of the dashboard: a question and the panels that answer it.

    Args:
        title: The question, or None for panels at the top, without a row.
        lines: The lines of panels.
        collapsed: Whether the row is initially closed, for panels that are rarely needed.
    """

    title: str | None
    lines: Sequence[Line]
    collapsed: bool = False


def assemble(
    uid: str, description: str, sections: Sequence[Section], *, period: str, with_tier: bool = False
) -> dashboard.Dashboard:
    """Build a dashboard from its sections.

    Args:
        uid: The dashboard's uid.
        description: The dashboard's purpose in one sentence.
        sections: Sections from top to bottom.
        period: Default time range, such as `6h`.
        with_tier: Whether the dashboard shows one tier and therefore needs the tier variable.
    """
    builder = builders.Dashboard(DASHBOARDS[uid]).uid(uid).description(description).tags(["financehub"]).readonly()
    builder.timezone("browser").time(f"now-{period}", "now").refresh("30s")
    builder.tooltip(dashboard.DashboardCursorSync.CROSSHAIR).links(links.header(uid))
    built = builder.build()
    common = [variables.datasource().build(), variables.namespace().build(), variables.release().build()]
    tier = [variables.tier().build()] if with_tier else []
    built.templating.list_val = [*common, *tier, variables.runbooks()]
    built.panels = _place(sections)
    return built


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
        first = top
        for line in section.lines:
            for panel in _line(line, top):
                number += 1
                panel.id_val = number
                (row.panels if row is not None and row.collapsed else placed).append(panel)
            top += line.height
        if section.collapsed:
            # a closed row takes one unit; Grafana moves the rest when it opens
            top = first
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
