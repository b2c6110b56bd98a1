"""The dashboards as they are committed, and every expression in them as Grafana would send it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deploy/helm/financehub/files/dashboards"
#: Beginning of the no-value text of a panel whose result is empty when all is well.
EMPTY_IS_FINE = "None"
#: What Grafana would fill in for a release outside Kubernetes; a namespace of `.*` matches series without one.
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
    """One expression of one panel.

    Args:
        dashboard: uid of the dashboard.
        panel: title of the panel.
        legend: legend format, or the title of a table's column.
        text: the expression with its variables filled in.
        no_value: what the panel shows in place of an empty answer.
        kind: the panel's type, such as `timeseries`.
        format: `time_series`, `table` or `heatmap`.
        instant: asked for one moment instead of a range.
        unit: of the panel, or of the table's column.
        maximum: of the panel, or of the table's column; None where the values decide.
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
        """Whether an empty result is good news."""
        return self.no_value.startswith(EMPTY_IS_FINE)


def load() -> dict[str, dict[str, Any]]:
    """File name → dashboard."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Panels in reading order, those of collapsed rows too, without the rows themselves."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def fill_in(expression: str, values: Mapping[str, str]) -> str:
    """An expression with its variables replaced.

    Args:
        expression: as the dashboard holds it.
        values: variable → value.

    Raises:
        KeyError: naming a variable without a value.
    """
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], expression)


def expressions(values: Mapping[str, str] | None = None) -> Iterator[Expression]:
    """Every expression of every panel of every dashboard.

    A panel that sets its shortest step looks back at least as far, whatever `__rate_interval` is.

    Args:
        values: variables that differ from `LOCAL`.
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
    """What a table says of one column only."""
    return {
        each["id"]: each["value"]
        for override in panel["fieldConfig"].get("overrides", [])
        if override["matcher"] == {"id": "byName", "options": column}
        for each in override["properties"]
    }
