"""The page that answers whether everything is all right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from financehub_shared.core.models import Asset
from financehub_shared.health.checks import FleetSnapshot, check_freshness
from financehub_shared.health.report import HealthStatus
from financehub_shared.views.fleet import QueueView, queue_view, tier_views
from financehub_shared.views.quotes import QuoteView
from financehub_web.console.attention import attention_of
from financehub_web.console.page import show
from financehub_web.console.prices import places
from financehub_web.console.quotes import day_of, with_asset
from financehub_web.console.routing import page
from financehub_web.console.sparklines import outcome_bars
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
#: Number of assets with the largest changes.
_MOVERS = 6


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """The freshness of one dataset: its newest delivery, and the age beyond which it is stale."""

    dataset: str
    provider: str
    at: float | None
    limit: float
    status: HealthStatus
    reason: str


@page(router, "/", "overview")
def overview(request: Request, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Answer whether everything is all right, with the reasons and the most important figures."""
    snapshot, schedules, quotes = fleet.snapshot(), fleet.schedules(), fleet.quote_views()
    outcomes = fleet.outcomes()
    now = fleet.clock.now()
    movers = _movers(quotes.value, fleet.assets().value)
    day = day_of(fleet, movers)
    tiers = tier_views(snapshot.value)
    active = [info for info in schedules.value if not (info.suspended or info.paused or info.problem)]
    queues = [view for figures in snapshot.value.queues if any(_messages(view := queue_view(figures)))]
    values = {
        "prices": len(quotes.value),
        "stale": sum(view["stale"] for view in quotes.value),
        "active": len(active),
        "next_run": min((info.next_times[0] for info in active if info.next_times), default=None),
        "datasets": _datasets(snapshot.value),
        "tiers": tiers,
        "odd_tiers": [tier for tier in tiers if not tier["processes"] or tier["draining"]],
        "queues": queues,
        "hidden_queues": len(snapshot.value.queues) - len(queues),
        "attention": attention_of(schedules.value, snapshot.value.queues, now).schedules,
        "schedules": schedules.value,
        "hours": outcomes.value,
        "bars": outcome_bars([(hour.ended, hour.failed) for hour in outcomes.value]),
        "movers": movers,
        "day": day.value,
        "places": max((places(view["price"], view["kind"]) for view in movers), default=2),
    }
    return show(request, "overview.html", "Overview", "overview", values, snapshot, schedules, quotes, outcomes, day)


def _datasets(snapshot: FleetSnapshot) -> list[DatasetRow]:
    rows = []
    for dataset, check in check_freshness(snapshot).items():
        marks = {provider: at for (name, provider), at in snapshot.last_success.items() if name == dataset}
        provider = max(marks, key=lambda each: marks[each], default="")
        limit = snapshot.limits[dataset]
        rows.append(DatasetRow(dataset, provider, marks.get(provider), limit, check.status, check.reason))
    return rows


def _messages(queue: QueueView) -> tuple[int, ...]:
    """Return how many messages of a queue are in each state."""
    return queue["ready"], queue["in_flight"], queue["delayed"], queue["dead"]


def _movers(quotes: Sequence[QuoteView], assets: Mapping[str, Asset]) -> list[dict[str, Any]]:
    """Return the quotes with the largest changes, each with the name and the kind of its asset."""
    changed = [view for view in quotes if view["change_percent"] is not None and not view["stale"]]
    largest = sorted(changed, key=lambda view: -abs(float(view["change_percent"] or 0)))[:_MOVERS]
    return [with_asset(view, assets.get(view["symbol"])) for view in largest]
