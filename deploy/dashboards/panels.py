"""Builds panels, with one function per panel type. Required arguments are those that every panel must have."""

from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models import heatmap as heatmap_options
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.style import NO_JUDGMENT, Steps

DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")

Kind = TypeVar("Kind", bargauge.Panel, heatmap.Panel, stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)


@dataclass(frozen=True, kw_only=True)
class About:
    """A panel's description and scale.

    Args:
        title: The panel's title.
        text: The description, which explains what the panel shows, which values are bad, and what to do about them.
        unit: Grafana's name for the unit.
        no_value: Text instead of an empty result. Use `none_is_good` if an empty result is good.
        steps: Thresholds. The alert rules use the same numbers.
        low: Minimum of the scale.
        high: Maximum of the scale.
        decimals: Number of decimal places.
        mappings: Labels to show instead of values.
        links: Links that a click on a value offers.
    """

    title: str
    text: str
    unit: str
    no_value: str
    steps: Steps = NO_JUDGMENT
    low: float | None = 0
    high: float | None = None
    decimals: int | None = None
    mappings: tuple[dashboard.ValueMapping, ...] = ()
    links: tuple[builders.DashboardLink, ...] = ()


@dataclass(frozen=True)
class Query:
    """A panel's expression and the name of its series, with `{{label}}` for labels."""

    expr: str
    legend: str


def none_is_good(why: str) -> str:
    """Return the no-value text of a panel that is normally empty. Tests rely on it to accept an empty result."""
    return f"None: {why}"


def thresholds(steps: Steps) -> builders.ThresholdsConfig:
    """Return absolute thresholds."""
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=color) for value, color in steps])
    )


def described(panel: Kind, about: About) -> Kind:
    """Apply a description and a scale to a panel."""
    panel.title(about.title).description(about.text).unit(about.unit).no_value(about.no_value)
    panel.datasource(DATASOURCE).thresholds(thresholds(about.steps))
    if about.low is not None:
        panel.min(about.low)
    if about.high is not None:
        panel.max(about.high)
    if about.decimals is not None:
        panel.decimals(about.decimals)
    if about.mappings:
        panel.mappings(list(about.mappings))
    if about.links:
        panel.data_links(list(about.links))
    return panel


def target(query: Query, index: int = 0) -> prometheus.Dataquery:
    """Return a query over the time range."""
    built = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).range()
    return built.ref_id(chr(ord("A") + index)).datasource(DATASOURCE)


def instant(query: Query) -> prometheus.Dataquery:
    """Return a query that is evaluated only at the end of the time range."""
    return target(query).instant()


def _legend(*, table: bool) -> common.VizLegendOptions:
    legend = common.VizLegendOptions().placement(options.LegendPlacement.BOTTOM).show_legend(show_legend=True)
    if not table:
        return legend.display_mode(options.LegendDisplayMode.LIST).calcs([])
    legend.display_mode(options.LegendDisplayMode.TABLE).sort_by("Max").sort_desc(sort_desc=True)
    return legend.calcs(["lastNotNull", "max"])


def figure(about: About, query: Query, *, trend: bool = False, name_only: bool = False) -> dashboard.Panel:
    """Return a panel with one number per series, on a colored background.

    Args:
        about: Description and scale of the panel.
        query: Expression of the panel.
        trend: Whether to draw the value over time in the background.
        name_only: Whether to show the series name instead of the number.
    """
    panel = described(stat.Panel(), about).color_mode(options.BigValueColorMode.BACKGROUND)
    panel.graph_mode(options.BigValueGraphMode.AREA if trend else options.BigValueGraphMode.NONE)
    panel.text_mode(options.BigValueTextMode.NAME if name_only else options.BigValueTextMode.AUTO)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.with_target(target(query) if trend else instant(query)).build()


def bars(about: About, query: Query) -> dashboard.Panel:
    """Return a panel with one horizontal bar per series, with the current value and the label to the left."""
    panel = described(bargauge.Panel(), about).display_mode(options.BarGaugeDisplayMode.BASIC)
    panel.orientation(options.VizOrientation.HORIZONTAL).value_mode(options.BarGaugeValueMode.TEXT)
    panel.name_placement(options.BarGaugeNamePlacement.LEFT).show_unfilled(show_unfilled=True)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.with_target(instant(query)).build()


def graph(
    about: About, *queries: Query, stacked: bool = False, bar: bool = False, interval: str | None = None
) -> dashboard.Panel:
    """Return a panel with lines over time. Thresholds are drawn as dashed lines.

    Args:
        about: Description and scale of the panel.
        queries: Expressions of the panel.
        stacked: Whether to stack the series as areas.
        bar: Whether to draw bars, for rare events.
        interval: Minimum step, for events that are minutes apart. Rates look back at least this far.
    """
    panel = described(timeseries.Panel(), about).legend(_legend(table=True))
    panel.tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI).sort(options.SortOrder.DESCENDING))
    panel.color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    panel.line_width(1).fill_opacity(60 if bar else 25 if stacked else 0)
    panel.show_points(options.VisibilityMode.AUTO)
    if bar:
        panel.draw_style(options.GraphDrawStyle.BARS)
    if stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    if interval:
        # calls that are less frequent than the interval leave gaps, so lines bridge gaps of up to an hour
        panel.interval(interval).span_nulls(3_600_000)
    if about.steps != NO_JUDGMENT:
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED),
        )
    for index, query in enumerate(queries):
        panel.with_target(target(query, index))
    return panel.build()


def distribution(about: About, query: Query) -> dashboard.Panel:
    """Return a heatmap of a histogram's buckets over time.

    Args:
        about: Description and scale of the panel, with the unit of the buckets.
        query: Increase of the buckets by `le`, named `{{le}}`.
    """
    panel = described(heatmap.Panel(), about).calculate(calculate=False).show_legend()
    panel.y_axis(heatmap.YAxisConfig().unit(about.unit).axis_placement(options.AxisPlacement.LEFT))
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(heatmap_options.HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .steps(32)
        .exponent(0.5)
    )
    panel.scale_distribution(common.ScaleDistributionConfig().type(options.ScaleDistribution.LINEAR))
    panel.cell_gap(1).mode(options.TooltipDisplayMode.SINGLE)
    panel.rows_frame(heatmap.RowsHeatmapOptions().layout(options.HeatmapCellLayout.AUTO))
    panel.filter_values(heatmap.FilterValueRange().le(1e-9))
    return panel.with_target(target(query).format(PromQueryFormat.HEATMAP)).build()


def timeline(about: About, query: Query) -> dashboard.Panel:
    """Return a panel with one band per series, colored by its state."""
    panel = described(statetimeline.Panel(), about).legend(_legend(table=False))
    panel.color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
    panel.merge_values(merge_values=True).show_value(options.VisibilityMode.AUTO).row_height(0.8)
    panel.line_width(0).fill_opacity(70)
    panel.tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.SINGLE))
    return panel.with_target(target(query)).build()
