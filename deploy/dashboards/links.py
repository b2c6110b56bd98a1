"""Links from the dashboards to each other and to the runbooks. To link to another console, add it to `header`."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DashboardLink

from dashboards.naming import DASHBOARDS

#: What a link from a value passes on; a link from the header does so by itself.
_KEEP = "${__url_time_range}&${datasource:queryparam}&${namespace:queryparam}&${release:queryparam}"


def header(uid: str) -> list[Builder[DashboardLink]]:
    """Links at the top of a dashboard: to the others, in their order, and to the runbooks."""
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
    """To the dashboard of one tier.

    Args:
        queue: Grafana variable that holds the queue of the value clicked on.
    """
    return builders.DashboardLink("Look into this tier").url(f"/d/financehub-tier?{_KEEP}&var-tier={queue}")


def to_dashboard(uid: str) -> builders.DashboardLink:
    """To another dashboard, from a value."""
    return builders.DashboardLink(f"Open {DASHBOARDS[uid]}").url(f"/d/{uid}?{_KEEP}")


def to_runbook(alert: str) -> builders.DashboardLink:
    """To the page of one alert.

    Args:
        alert: Grafana variable that holds the alert's name.
    """
    return builders.DashboardLink("What to do").url(f"${{runbooks:raw}}/{alert}.md").target_blank(target_blank=True)
