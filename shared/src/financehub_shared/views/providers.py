"""The view of a provider."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.breaker import BreakerInfo
from financehub_shared.core.figures import BudgetFigures
from financehub_shared.core.provider_specs import ProviderSpec
from financehub_shared.views.breakers import BreakerStateView, breaker_state_view
from financehub_shared.views.fields import Field
from financehub_shared.views.freshness import FreshnessView, freshness_views


class LimitView(TypedDict):
    """One limit of the calls of an upstream."""

    window_seconds: Annotated[float, Field(description="The length of the time window in seconds.")]
    units: Annotated[
        int,
        Field(description="The number of calls in any window, or the sum of their weights if the upstream has any."),
    ]


class BudgetView(TypedDict):
    """The use of one limit of an upstream."""

    upstream: Annotated[str, Field(description="The upstream, or one of its feeds.", examples=["binance"])]
    window_seconds: Annotated[float, Field(description="The length of the time window in seconds.")]
    units: Annotated[int, Field(description="The number of units that the fleet may use in any window.")]
    used: Annotated[int, Field(description="The number of units that it has used in the window until now.")]


class ProviderView(TypedDict):
    """One provider with the state of its upstream."""

    name: Annotated[str, Field(description="The name of the provider.", examples=["binance"])]
    datasets: Annotated[list[str], Field(description="The datasets that it can deliver.", examples=[["quotes:crypto"]])]
    api_key: Annotated[str, Field(description="Whether it needs an API key: `none`, `optional` or `required`.")]
    positions: Annotated[
        Mapping[str, int],
        Field(
            description="Its place in the order of failover, by dataset: 1 is the first choice. A dataset for which it "
            "is not called is missing.",
            examples=[{"quotes:crypto": 1}],
        ),
    ]
    limits: Annotated[list[LimitView], Field(description="The limits of its upstream, shared by the whole fleet.")]
    budgets: Annotated[
        list[BudgetView], Field(description="The use of these limits: of the upstream, or of each of its feeds.")
    ]
    breakers: Annotated[
        list[BreakerStateView],
        Field(description="Its circuit breakers that have been used: one, or one for each of its feeds."),
    ]
    freshness: Annotated[list[FreshnessView], Field(description="Its last delivery of each dataset.")]


def provider_view(
    spec: ProviderSpec,
    breakers: Sequence[BreakerInfo],
    last_success: Mapping[tuple[str, str], float],
    limits: Mapping[str, float],
    now: float,
    *,
    orders: Mapping[str, Sequence[str]],
    budgets: Sequence[BudgetFigures],
) -> ProviderView:
    """Return the view of a provider.

    Args:
        spec: The provider.
        breakers: All circuit breakers.
        last_success: (dataset, provider) → time of the last delivery in Unix seconds.
        limits: Dataset → age in seconds beyond which it is stale.
        now: The current time in Unix seconds.
        orders: Dataset → providers in the order in which they are called.
        budgets: The use of all budgets.
    """
    own = {place: at for place, at in last_success.items() if place[1].rpartition("/")[2] == spec.name}
    return {
        "name": spec.name,
        "datasets": sorted(spec.datasets),
        "api_key": spec.api_key,
        "positions": {dataset: order.index(spec.name) + 1 for dataset, order in orders.items() if spec.name in order},
        "limits": [{"window_seconds": limit.window_seconds, "units": limit.units} for limit in spec.limits],
        "budgets": [_budget_view(figures) for figures in budgets if figures.upstream.partition(":")[0] == spec.name],
        "breakers": [breaker_state_view(info) for info in breakers if info.upstream.partition(":")[0] == spec.name],
        "freshness": freshness_views(own, limits, now),
    }


def _budget_view(figures: BudgetFigures) -> BudgetView:
    return {
        "upstream": figures.upstream,
        "window_seconds": float(figures.window.removesuffix("s")),
        "units": figures.limit,
        "used": figures.used,
    }
