"""Reads the committed dashboards and their expressions as Grafana would send them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deploy/helm/financehub/files/dashboards"
#: Start of the no-value text of a panel whose result is normally empty.
EMPTY_IS_FINE = "None"
#: Values of the variables for a release outside Kubernetes. The namespace `.*` also matches series without one.
LOCAL = {
    "namespace": ".*",
    "release": "local",
    "tier": "high",
    "__rate_interval": "1m",
    "__interval": "15s",
    "__range": "15m",
}
_VARIABLE = re.compile(r"\$(?:\{([a-z_]\w*)(?::\w+)?\}|([a-z_]\w*))")


@dataclass(frozen=True)
class Expression:
    """An expression of a panel.

    Args:
        dashboard: Uid of the dashboard.
        panel: Title of the panel.
        legend: Legend format, or the title of a table's column.
        text: Expression with its variables filled in.
        no_value: Text that the panel shows instead of an empty result.
        kind: Type of the panel, such as `timeseries`.
        format: `time_series`, `table` or `heatmap`.
        instant: Whether the query is an instant query instead of a range query.
        unit: Unit of the panel, or of the table's column.
        maximum: Maximum of the panel, or of the table's column. None if it depends on the values.
    """

    dashboard: str
    panel: str
    legend: str
    text: str
    no_value: str
    kind: str
    format: str
    instant: bool
    unit: str | None
    maximum: float | None

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty result is expected."""
        return self.no_value.startswith(EMPTY_IS_FINE)


def load() -> dict[str, dict[str, Any]]:
    """Return file name → dashboard."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels in reading order, including those of collapsed rows, without the rows themselves."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def fill_in(expression: str, values: Mapping[str, str]) -> str:
    """Replace the variables of an expression.

    Args:
        expression: Expression from the dashboard.
        values: Variable → value.

    Raises:
        KeyError: A variable has no value.
    """
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], expression)


def expressions(values: Mapping[str, str] | None = None) -> Iterator[Expression]:
    """Yield every expression of every panel of every dashboard.

    If a panel sets a minimum step, that step replaces `__rate_interval`.

    Args:
        values: Variables that differ from `LOCAL`.
    """
    for dashboard in load().values():
        for panel in panels(dashboard):
            chosen = {**LOCAL, **(values or {})}
            if "interval" in panel:
                chosen["__rate_interval"] = panel["interval"]
            for target in panel["targets"]:
                shown = panel["fieldConfig"]["defaults"] | _overridden(panel, target["legendFormat"])
                yield Expression(
                    dashboard=dashboard["uid"],
                    panel=panel["title"],
                    legend=target["legendFormat"],
                    text=fill_in(target["expr"], chosen),
                    no_value=panel["fieldConfig"]["defaults"]["noValue"],
                    kind=panel["type"],
                    format=target.get("format", "time_series"),
                    instant=target.get("instant", False),
                    unit=shown.get("unit"),
                    maximum=shown.get("max"),
                )


def _overridden(panel: Mapping[str, Any], column: str) -> dict[str, Any]:
    """Return the properties that a table overrides for one column."""
    return {
        property["id"]: property["value"]
        for override in panel["fieldConfig"].get("overrides", [])
        if override["matcher"] == {"id": "byName", "options": column}
        for property in override["properties"]
    }
