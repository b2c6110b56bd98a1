"""The rules of grafana/dashboard-linter for our dashboards, and additional rules.

A rule takes a dashboard and yields its problems. These rules are left out: target-logql-rule and
target-logql-auto-rule, because there is no Loki; element-reference-rule, which is for dashboards of schema v2; and
target-promql-rule, because a test runs promtool instead. The rules for job and instance are replaced by the same rules
for namespace and release, because every FinanceHub series has these labels, however it is scraped.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from grafana_foundation_sdk.models import units

from support import metric_catalog, promql
from support.dashboards import EMPTY_IS_FINE, panels

Dashboard = Mapping[str, Any]
Problems = Iterator[str]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
REQUIRED = ("namespace", "release")
UNITS = {value for name, value in vars(units).items() if not name.startswith("_") and isinstance(value, str)}
#: Types of panels that show values with a unit.
_WITH_UNIT = {"stat", "table", "timeseries", "gauge", "bargauge", "heatmap", "state-timeline"}
_COUNTER = re.compile(r"_(total|bucket|sum|count)$")
#: Gauges that every scheduler serves, so that two schedulers serve them twice.
FLEET_GAUGES = {row.name for row in metric_catalog.rows() if row.kind == "gauge" and row.by_schedulers}


def counts_schedulers(selector: promql.Selector) -> bool:
    """Whether the selector uses a gauge of every scheduler without first taking its maximum or minimum."""
    reduced = selector.aggregation in {"max", "min", "group"}
    # as a condition after `and`, for which the number of series does not matter
    over_time = selector.aggregation is None and selector.function in {"max_over_time", "min_over_time"}
    return selector.metric in FLEET_GAUGES and not reduced and not over_time


def template_datasource(dashboard: Dashboard) -> Problems:
    """One variable selects the Prometheus data source."""
    found = [variable for variable in dashboard["templating"]["list"] if variable["type"] == "datasource"]
    if [(variable["name"], variable["label"], variable["query"]) for variable in found] != [
        ("datasource", "Data source", "prometheus")
    ]:
        yield "needs one variable of type datasource: named datasource, labeled Data source, of type prometheus"


def template_required_variables(dashboard: Dashboard) -> Problems:
    """Variables select the namespace and the release. The choice of all namespaces includes series without one."""
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    for name in REQUIRED:
        variable = variables.get(name)
        if variable is None or variable["type"] != "query" or variable["datasource"] != DATASOURCE:
            yield f"needs a query variable {name} of the data source ${{datasource}}"
    namespace = variables.get("namespace", {})
    if not (namespace.get("multi") and namespace.get("includeAll") and namespace.get("allValue") == ".*"):
        yield 'namespace: needs multi, includeAll and allValue ".*"'


def template_label_promql(dashboard: Dashboard) -> Problems:
    """A query variable queries the values of a label."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and not re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]):
            yield f"variable {variable['name']}: {variable['query']!r} is not label_values(<selector>, <label>)"


def template_on_time_change_reload(dashboard: Dashboard) -> Problems:
    """A query variable is refreshed when the time range changes."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and variable.get("refresh") != 2:
            yield f"variable {variable['name']}: refresh is not 2 (on a change of the time range)"


def panel_datasource(dashboard: Dashboard) -> Problems:
    """Panels and targets query the selected data source."""
    for panel in panels(dashboard):
        if any(item.get("datasource") != DATASOURCE for item in (panel, *panel["targets"])):
            yield f"{panel['title']}: a data source other than ${{datasource}}"


def panel_title_description(dashboard: Dashboard) -> Problems:
    """A panel has a unique title and a description."""
    titles = set()
    for panel in panels(dashboard):
        title = panel.get("title", "")
        if not title or len(panel.get("description", "")) < 60 or not panel["description"].endswith("."):
            yield f"{title!r} (id {panel['id']}): no title, or no description of a sentence or more"
        if title in titles:
            yield f"{title!r}: two panels have this title"
        titles.add(title)


def panel_units(dashboard: Dashboard) -> Problems:
    """A panel has a unit that Grafana knows."""
    for panel in panels(dashboard):
        config = panel["fieldConfig"]
        overrides = [item for override in config.get("overrides", []) for item in override["properties"]]
        used = [config["defaults"].get("unit"), *(item["value"] for item in overrides if item["id"] == "unit")]
        if panel["type"] in _WITH_UNIT and not set(used) <= UNITS:
            yield f"{panel['title']}: unit {used} is not known to Grafana"


def panel_no_targets(dashboard: Dashboard) -> Problems:
    """A panel has queries with unique names."""
    for panel in panels(dashboard):
        names = [target["refId"] for target in panel.get("targets", [])]
        if not names or len(set(names)) != len(names):
            yield f"{panel['title']}: no targets, or two with the same refId"


def panel_no_value(dashboard: Dashboard) -> Problems:
    """A panel explains an empty result: either there is nothing to show, or there is no data."""
    for panel in panels(dashboard):
        text = panel["fieldConfig"]["defaults"].get("noValue", "")
        if not re.match(rf"({EMPTY_IS_FINE}|No data): \w", text):
            yield f"{panel['title']}: no-value text {text!r} does not begin with None: or No data:"


def panel_legend(dashboard: Dashboard) -> Problems:
    """Every series has a name, and graphs show it."""
    for panel in panels(dashboard):
        if any(not target.get("legendFormat") for target in panel["targets"]):
            yield f"{panel['title']}: a target without a legend"
        shown = panel.get("options", {}).get("legend", {})
        hidden = shown.get("showLegend") is not True and shown.get("show") is not True
        if panel["type"] in {"timeseries", "state-timeline", "heatmap"} and hidden:
            yield f"{panel['title']}: the legend is not shown"


def panel_scale(dashboard: Dashboard) -> Problems:
    """The minimum of a scale is below its maximum, and thresholds rise from a base."""
    for panel in panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        steps = [step["value"] for step in defaults["thresholds"]["steps"]]
        if not steps or steps[0] is not None or steps[1:] != sorted(set(steps[1:])):
            yield f"{panel['title']}: thresholds {steps} do not rise from a base"
        if panel["type"] == "bargauge" and "min" not in defaults:
            yield f"{panel['title']}: bars without a minimum"
        if defaults.get("min", 0) >= defaults.get("max", float("inf")):
            yield f"{panel['title']}: the minimum is not below the maximum"


def target_required_matchers(dashboard: Dashboard) -> Problems:
    """Every selector filters by namespace and release."""
    for name, expression in _expressions(dashboard):
        for selector in promql.selectors(expression):
            for label in REQUIRED:
                if f'{label}=~"${label}"' not in selector.matchers:
                    yield f'{name}: {selector.metric} does not filter by {label}=~"${label}"'


def target_rate_interval(dashboard: Dashboard) -> Problems:
    """Rates use $__rate_interval, which depends on the scrape interval and the zoom."""
    for name, expression in _expressions(dashboard):
        for selector in promql.selectors(expression):
            if selector.function in {"rate", "irate"} and selector.range != "$__rate_interval":
                yield f"{name}: {selector.function}({selector.metric}[{selector.range}])"


def target_counter_agg(dashboard: Dashboard) -> Problems:
    """Counters and the parts of histograms appear only inside a rate or an increase."""
    for name, expression in _expressions(dashboard):
        for selector in promql.selectors(expression):
            is_counter = _COUNTER.search(selector.metric)
            if is_counter and selector.function not in {"rate", "irate", "increase"}:
                yield f"{name}: {selector.metric} without rate, irate or increase"


def target_fleet_gauge(dashboard: Dashboard) -> Problems:
    """The fleet's gauges are not summed or counted, because the result would grow with the number of schedulers."""
    for name, expression in _expressions(dashboard):
        for selector in promql.selectors(expression):
            if counts_schedulers(selector):
                yield f"{name}: {selector.aggregation} of {selector.metric}, which each scheduler serves"


def target_histogram(dashboard: Dashboard) -> Problems:
    """Buckets are used in a quantile or a heatmap."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            metrics = {selector.metric for selector in promql.selectors(target["expr"])}
            if any(metric.endswith("_bucket") for metric in metrics):
                quantile = target["expr"].startswith("histogram_quantile(")
                heatmap = panel["type"] == "heatmap" and target.get("format") == "heatmap"
                if not (quantile or heatmap):
                    yield f"{panel['title']}: buckets that are neither a quantile nor a heatmap"


def uneditable(dashboard: Dashboard) -> Problems:
    """A dashboard is read-only, because a change in Grafana would be lost at the next rollout."""
    if dashboard.get("editable") is not False:
        yield "editable is not false"


def identity(dashboard: Dashboard) -> Problems:
    """A dashboard has a fixed uid, the viewer's time zone, a time range that ends now, and a refresh interval."""
    if not re.fullmatch(r"financehub-[a-z]{1,29}", dashboard.get("uid", "")) or dashboard.get("id") is not None:
        yield "needs a uid financehub-<name> of at most 40 characters, and no id"
    if dashboard.get("timezone") != "browser":
        yield 'timezone is not "browser"'
    if dashboard.get("time", {}).get("to") != "now" or not dashboard.get("refresh"):
        yield "the time range does not end now, or nothing refreshes it"


def _expressions(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


#: Name → rule. A rule has the name that grafana/dashboard-linter gives it, if the linter has the same rule.
RULES: Mapping[str, Callable[[Dashboard], Problems]] = {
    "template-datasource-rule": template_datasource,
    "template-required-variables-rule": template_required_variables,
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "panel-no-value-rule": panel_no_value,
    "panel-legend-rule": panel_legend,
    "panel-scale-rule": panel_scale,
    "target-required-matchers-rule": target_required_matchers,
    "target-rate-interval-rule": target_rate_interval,
    "target-counter-agg-rule": target_counter_agg,
    "target-fleet-gauge-rule": target_fleet_gauge,
    "target-histogram-rule": target_histogram,
    "uneditable-dashboard": uneditable,
    "identity-rule": identity,
}
