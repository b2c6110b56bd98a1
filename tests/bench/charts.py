"""Draws the measured points of a scale benchmark as an SVG, with logarithmic axes and a line of linear growth.

On these axes, a cost that grows linearly rises like the dashed gray line, which begins at the first point of the first
curve. A flatter curve is better than linear. A dotted line is the goal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.points import Points

_COLUMNS = 2
_WIDTH, _HEIGHT = 420, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 54, 44
COLORS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2")
STYLE = """\
text{font:12px system-ui,sans-serif;fill:#1f2937}.t{font-weight:600;font-size:13px}.a{fill:#6b7280;font-size:11px}
.g{stroke:#e5e7eb}.l{stroke:#9ca3af;stroke-dasharray:5 4}.goal{stroke:#dc2626;stroke-dasharray:1 4;stroke-width:2}
.c{fill:none;stroke-width:2}rect{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.a{fill:#9ca3af}.g{stroke:#374151}.l{stroke:#6b7280}
rect{fill:#0d1117}}"""


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart of a case.

    Args:
        title: What it shows, with its unit.
        x: What the sizes are.
        curves: Label → figure of the rows.
        goal: A value to reach, in the unit of the rows; None without a goal.
        linear: Whether to draw the line of linear growth.
    """

    title: str
    x: str
    curves: dict[str, str]
    goal: float | None = None
    linear: bool = True


def draw(charts: Sequence[Chart], points: Points) -> str:
    """Return the SVG of all charts of a case that have points.

    Args:
        charts: The charts.
        points: The points of the case.
    """
    shown = [chart for chart in charts if any(points.get(figure) for figure in chart.curves.values())]
    rows = math.ceil(len(shown) / _COLUMNS)
    width, height = _COLUMNS * _WIDTH, rows * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}"/>',
    ]
    for index, chart in enumerate(shown):
        x, y = index % _COLUMNS * _WIDTH, index // _COLUMNS * _HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *_chart(chart, points), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


@dataclass(frozen=True, slots=True)
class _Axes:
    """The logarithmic ranges of one chart."""

    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return the position of a point in the chart."""
        across = (math.log10(x) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log10(y) - self.y[0]) / (self.y[1] - self.y[0])
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)


def _chart(chart: Chart, points: Points) -> list[str]:
    curves = [
        (label, [(x, y) for x, y in points[figure] if y > 0])
        for label, figure in chart.curves.items()
        if points.get(figure)
    ]
    everything = [point for _, curve in curves for point in curve]
    xs = [x for x, _ in everything]
    ys = [y for _, y in everything] + ([chart.goal] if chart.goal else [])
    axes = _Axes(_range(xs, whole=False), _range(ys, whole=True))
    parts = [f'<text class="t" x="12" y="18">{escape(chart.title)}</text>', *_grid(axes, sorted(set(xs)))]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text class="a" x="{middle:g}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(chart.x)}</text>')
    if chart.linear and curves[0][1]:
        parts.append(_linear(axes, curves[0][1][0]))
    if chart.goal:
        (left, y), (right, _) = axes.place(min(xs), chart.goal), axes.place(max(xs), chart.goal)
        parts.append(f'<line class="goal" x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}"/>')
    x_of_legend = 12.0
    for (label, curve), color in zip(curves, COLORS, strict=False):
        placed = [axes.place(x, y) for x, y in curve]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline class="c" stroke="{color}" points="{path}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in placed]
        parts.append(f'<circle cx="{x_of_legend + 4:.0f}" cy="34" r="4" fill="{color}"/>')
        parts.append(f'<text class="a" x="{x_of_legend + 12:.0f}" y="38">{escape(label)}</text>')
        x_of_legend += 24 + 6.2 * len(label)
    return parts


def _range(values: Sequence[float], *, whole: bool) -> tuple[float, float]:
    """Return the range of an axis as powers of ten; full decades if `whole`."""
    low, high = math.log10(min(values)), math.log10(max(values))
    if whole:
        low, high = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    return (low, high) if high - low > 0.01 else (low, low + 1)


def _grid(axes: _Axes, xs: Sequence[float]) -> list[str]:
    parts = []
    for power in range(int(axes.y[0]), int(axes.y[1]) + 1):
        (left, y) = axes.place(10 ** axes.x[0], 10.0**power)
        parts.append(f'<line class="g" x1="{left:.1f}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text class="a" x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:,g}</text>')
    for x in xs:
        place, bottom = axes.place(x, 10 ** axes.y[0])
        parts.append(f'<line class="g" x1="{place:.1f}" y1="{bottom:.1f}" x2="{place:.1f}" y2="{_TOP}"/>')
        parts.append(f'<text class="a" x="{place:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{_short(x)}</text>')
    return parts


def _linear(axes: _Axes, first: tuple[float, float]) -> str:
    """Return the line of linear growth from a point to the edge of the chart."""
    steps = min(axes.x[1] - math.log10(first[0]), axes.y[1] - math.log10(first[1]))
    x1, y1 = axes.place(*first)
    x2, y2 = axes.place(first[0] * 10**steps, first[1] * 10**steps)
    return f'<line class="l" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _short(number: float) -> str:
    """Return a size as 100, 3k or 1M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:g}{name}"
    return f"{number:g}"
