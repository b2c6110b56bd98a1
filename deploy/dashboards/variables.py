"""The variables at the top of the dashboards."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from dashboards.naming import RUNBOOKS_URL
from dashboards.panels import DATASOURCE
from dashboards.promql import series


def datasource() -> builders.DatasourceVariable:
    """Return the variable for the Prometheus data source."""
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def namespace() -> builders.QueryVariable:
    """Return the namespace variable. Its choice `All` also matches series without a namespace label."""
    variable = _query("namespace", "Namespace", "label_values(financehub_build_info, namespace)")
    variable.multi(multi=True).include_all(include_all=True).all_value(".*")
    return variable.current(dashboard.VariableOption(selected=True, text="All", value="$__all"))


def release() -> builders.QueryVariable:
    """Return the release variable, which selects one release so that legends and tables need not repeat its name."""
    return _query("release", "Release", 'label_values(financehub_build_info{namespace=~"$namespace"}, release)')


def tier() -> builders.QueryVariable:
    """Return the tier variable, whose value is the name of a queue and of a component."""
    return _query("tier", "Tier", f"label_values({series('financehub_queue_wait_target_seconds')}, queue)")


def runbooks() -> dashboard.VariableModel:
    """Return the hidden variable with the runbooks' address, which the chart replaces."""
    variable = builders.ConstantVariable("runbooks").label("Runbooks").value(RUNBOOKS_URL).build()
    # the SDK's constant builder does not have a method for this
    variable.hide = dashboard.VariableHide.HIDE_VARIABLE
    return variable


def _query(name: str, label: str, query: str) -> builders.QueryVariable:
    variable = builders.QueryVariable(name).label(label).query(query).datasource(DATASOURCE)
    return variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
        dashboard.VariableSort.ALPHABETICAL_ASC
    )
