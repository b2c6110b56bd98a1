"""Draws the samples of a soak as an SVG: figures over time, with the faults as marks below the axis."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from bench.charts import COLORS, STYLE
from soak.trend import Point

_COLUMNS = 2
_WIDTH, _HEIGHT = 560, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 54, 44
_TICKS = 4
_MOST_POINTS = 120


@dataclass(frozen=True, slots=True)
class Plot:
    """One chart.

    Args:
        title: What it shows, with its unit.
        curves: Label → the points of each lifetime. The lifetimes of a label have one color and are not connected.
    """

    title: str
    curves: Mapping[str, Sequence[Sequence[Point]]]


def draw(plots: Sequence[Plot], begin: float, faults: Sequence[float]) -> str:
    """Return the SVG of all charts that have points.

    Args:
        plots: The charts.
        begin: Time that is the zero of the axis, in Unix seconds.
        faults: Times of the faults in Unix seconds.
    """
    shown = [plot for plot in plots if any(any(lives) for lives in plot.curves.values())]
    width, height = _COLUMNS * _WIDTH, math.ceil(len(shown) / _COLUMNS) * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}"/>',
    ]
    for index, plot in enumerate(shown):
        x, y = index % _COLUMNS * _WIDTH, index // _COLUMNS * _HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *_chart(plot, begin, faults), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


@dataclass(frozen=True, slots=True)
class _Axes:
    """The linear ranges of one chart: minutes and values, both from zero."""

    minutes: float
    most: float

    def x(self, minute: float) -> float:
        return _LEFT + minute / self.minutes * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.most * (_HEIGHT - _TOP - _BOTTOM)


def _chart(plot: Plot, begin: float, faults: Sequence[float]) -> list[str]:
    curves = {
        label: [[((at - begin) / 60, value) for at, value in _thinned(life)] for life in lives if life]
        for label, lives in plot.curves.items()
    }
    points = [point for lives in curves.values() for life in lives for point in life]
    axes = _Axes(max(1.0, *(minute for minute, _ in points)), _ceiling(max(value for _, value in points)))
    parts = [f'<text class="t" x="12" y="18">{escape(plot.title)}</text>', *_grid(axes)]
    bottom = axes.y(0)
    parts += [
        f'<line class="l" x1="{axes.x(at):.1f}" y1="{bottom:.1f}" x2="{axes.x(at):.1f}" y2="{bottom + 4:.1f}"/>'
        for at in ((each - begin) / 60 for each in faults)
        if 0 <= at <= axes.minutes
    ]
    legend = 12.0
    for index, (label, lives) in enumerate(curves.items()):
        color = COLORS[index % len(COLORS)]
        for life in lives:
            path = " ".join(f"{axes.x(minute):.1f},{axes.y(value):.1f}" for minute, value in life)
            parts.append(f'<polyline class="c" stroke="{color}" points="{path}"/>')
        parts.append(f'<circle cx="{legend + 4:.0f}" cy="34" r="4" fill="{color}"/>')
        parts.append(f'<text class="a" x="{legend + 12:.0f}" y="38">{escape(label)}</text>')
        legend += 24 + 6.2 * len(label)
    return parts


def _grid(axes: _Axes) -> list[str]:
    parts = []
    for tick in range(_TICKS + 1):
        value, minute = axes.most * tick / _TICKS, axes.minutes * tick / _TICKS
        y, x = axes.y(value), axes.x(minute)
        parts.append(f'<line class="g" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text class="a" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,g}</text>')
        parts.append(
            f'<text class="a" x="{x:.1f}" y="{axes.y(0) + 18:.1f}" text-anchor="middle">{minute:.0f} min</text>'
        )
    return parts


def _thinned(life: Sequence[Point]) -> Sequence[Point]:
    """Return at most `_MOST_POINTS` points of a lifetime, so that the file stays small."""
    return life[:: max(1, math.ceil(len(life) / _MOST_POINTS))]


def _ceiling(value: float) -> float:
    """Return the smallest value of at least this size whose ticks are round."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)
