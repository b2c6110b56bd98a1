"""Builds tables with one expression per column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.panels import About, Query, described, instant, thresholds
from dashboards.style import NO_JUDGMENT, Steps

#: Columns of every result that are hidden, because the dashboard shows one release and one moment.
_HIDDEN = ("Time", "__name__", "namespace", "release")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of values.

    Args:
        title: Heading of the column.
        expr: Expression with only the labels of the table's rows, the namespace and the release.
        unit: Grafana's name for the unit.
        steps: Thresholds, which color the text.
        gauge: Maximum of a bar that is drawn behind the number, or None for no bar.
        mapping: Labels to show instead of values.
        decimals: Number of decimal places.
        hidden: Whether to hide the values, so that the column only determines the rows.
    """

    title: str
    expr: str
    unit: str = "none"
    steps: Steps = NO_JUDGMENT
    gauge: float | None = None
    mapping: dashboard.ValueMapping | None = None
    decimals: int | None = None
    hidden: bool = False


def rows(
    about: About,
    labels: Mapping[str, str],
    columns: Sequence[Column],
    *,
    sort: str,
    descending: bool = True,
    links: Mapping[str, builders.DashboardLink] | None = None,
    mappings: Mapping[str, dashboard.ValueMapping] | None = None,
) -> dashboard.Panel:
    """Return a panel with a table.

    Args:
        about: Description and scale of the panel.
        labels: Label → heading, for the labels that identify a row.
        columns: Columns of values.
        sort: Heading of the column that sorts the rows.
        descending: Whether the highest value is on top.
        links: Heading → link that a click on the cell opens.
        mappings: Heading of a label column → value labels and colors.
    """
    panel = described(table.Panel(), about).cell_height(options.TableCellHeight.SM)
    panel.align(options.FieldTextAlignment.AUTO)
    panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(descending)])
    fields = ["Value"] if len(columns) == 1 else [f"Value #{chr(ord('A') + index)}" for index in range(len(columns))]
    for index, column in enumerate(columns):
        # the table defines its own column names, so this legend only helps people who read the query
        query = instant(Query(column.expr, column.title)).ref_id(chr(ord("A") + index))
        panel.with_target(query.format(PromQueryFormat.TABLE))
        panel.override_by_name(column.title, _properties(column))
    for heading in labels.values():
        properties = [_property("links", [links[heading].build()])] if links and heading in links else []
        if mappings and heading in mappings:
            properties += [_property("mappings", [mappings[heading]]), _colored()]
        if properties:
            panel.override_by_name(heading, properties)
    hidden = (*_HIDDEN, *(field for field, column in zip(fields, columns, strict=True) if column.hidden))
    shown = [*labels, *(field for field in fields if field not in hidden)]
    renamed = {**labels, **dict(zip(fields, (column.title for column in columns), strict=True))}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    return panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": dict.fromkeys(hidden, True),
                "indexByName": {name: index for index, name in enumerate(shown)},
                "renameByName": renamed,
            },
        )
    ).build()


def _properties(column: Column) -> list[dashboard.DynamicConfigValue]:
    found = [_property("unit", column.unit), _property("thresholds", thresholds(column.steps).build())]
    if column.decimals is not None:
        found.append(_property("decimals", column.decimals))
    if column.mapping is not None:
        found.append(_property("mappings", [column.mapping]))
    if column.gauge is not None:
        cell = options.TableBarGaugeCellOptions(
            mode=options.BarGaugeDisplayMode.BASIC, value_display_mode=options.BarGaugeValueMode.TEXT
        )
        found += [_property("min", 0), _property("max", column.gauge), _property("custom.cellOptions", cell)]
    elif column.steps != NO_JUDGMENT or column.mapping is not None:
        found.append(_colored())
    return found


def _colored() -> dashboard.DynamicConfigValue:
    return _property("custom.cellOptions", options.TableColorTextCellOptions())


def _property(name: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)
