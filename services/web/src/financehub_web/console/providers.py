"""The page with the providers: their circuit breakers, budgets, order and what they delivered."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from financehub_shared.core.durations import parse_duration
from financehub_shared.core.provider_specs import Dataset
from financehub_shared.core.settings import Settings
from financehub_shared.views.breakers import breaker_view
from financehub_shared.views.freshness import freshness_views
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()


@page(router, "/providers", "providers")
def providers(request: Request, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Show the circuit breakers, the budgets, the order of failover and the last deliveries."""
    snapshot, budgets = fleet.snapshot(), fleet.budgets()
    values = {
        "breakers": [breaker_view(info) for info in snapshot.value.breakers],
        "budgets": [(figures, parse_duration(figures.window)) for figures in budgets.value],
        "orders": _orders(fleet.settings),
        "deliveries": freshness_views(snapshot.value.last_success, snapshot.value.limits, fleet.clock.now()),
    }
    return show(request, "providers.html", "Providers", "providers", values, snapshot, budgets)


def _orders(settings: Settings) -> Mapping[str, Sequence[str]]:
    """Return dataset → providers in the order in which they are called, as the settings of this process say."""
    return {dataset.value: settings.provider_order(dataset) for dataset in Dataset}
