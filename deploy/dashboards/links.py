"""Links from the dashboards to each other and to the runbooks. To link to another console, add it to `header`."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DashboardLink

from dashboards.naming import DASHBOARDS

#: Query parameters that keep the time range and the variables. Grafana itself adds them to the header links.
_KEEP_CONTEXT = "${__url_time_range}&${datasource:queryparam}&${namespace:queryparam}&${release:queryparam}"


def header(uid: str) -> list[Builder[DashboardLink]]:
    """Return the links at the top of a dashboard: to the other dashboards in order, and to the runbooks."""
    others = [
        builders.DashboardLink(title.removeprefix("FinanceHub / "))
        .url(f"/d/{other}")
        .icon("dashboard")
        .tooltip(f"{title}, with the same time and variables")
        .keep_time(keep_time=True)
        .include_vars(include_vars=True)
        for other, title in DASHBOARDS.items()
        if other != uid
    ]
    runbooks = (
        builders.DashboardLink("Runbooks").url("${runbooks:raw}/README.md").icon("doc").target_blank(target_blank=True)
    )
    return [*others, runbooks.tooltip("What to do for each alert")]


def to_tier(queue: str) -> builders.DashboardLink:
    """Return a link from a value to the dashboard of one tier.

    Args:
        queue: Grafana variable that contains the queue of the clicked value.
    """
    return builders.DashboardLink("Open the dashboard of this tier").url(
        f"/d/financehub-tier?{_KEEP_CONTEXT}&var-tier={queue}"
    )


def to_dashboard(uid: str) -> builders.DashboardLink:
    """Return a link from a value to another dashboard."""
    return builders.DashboardLink(f"Open {DASHBOARDS[uid]}").url(f"/d/{uid}?{_KEEP_CONTEXT}")


def to_runbook(alert: str) -> builders.DashboardLink:
    """Return a link to the runbook of one alert.

    Args:
        alert: Grafana variable that contains the alert's name.
    """
    return builders.DashboardLink("What to do").url(f"${{runbooks:raw}}/{alert}.md").target_blank(target_blank=True)
