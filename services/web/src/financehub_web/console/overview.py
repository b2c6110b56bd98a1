"""The page that answers whether everything is all right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from financehub_shared.health.checks import FleetSnapshot, check_freshness
from financehub_shared.health.report import HealthStatus
from financehub_shared.schedules import ScheduleInfo
from financehub_shared.views.fleet import queue_view, tier_views
from financehub_shared.views.quotes import QuoteView
from financehub_web.console.page import show
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
    active = [info for info in schedules.value if not info.suspended and not info.problem]
    values = {
        "prices": len(quotes.value),
        "stale": sum(view["stale"] for view in quotes.value),
        "active": len(active),
        "next_run": min((info.next_times[0] for info in active if info.next_times), default=None),
        "datasets": _datasets(snapshot.value),
        "tiers": tier_views(snapshot.value),
        "queues": [queue_view(figures) for figures in snapshot.value.queues],
        "attention": [info for info in schedules.value if _needs_attention(info, now)],
        "schedules": schedules.value,
        "hours": outcomes.value,
        "bars": outcome_bars([(hour.ended, hour.failed) for hour in outcomes.value]),
        "movers": _movers(quotes.value),
    }
    return show(request, "overview.html", "Overview", "overview", values, snapshot, schedules, quotes, outcomes)


def _datasets(snapshot: FleetSnapshot) -> list[DatasetRow]:
    rows = []
    for dataset, check in check_freshness(snapshot).items():
        marks = {provider: at for (name, provider), at in snapshot.last_success.items() if name == dataset}
        provider = max(marks, key=lambda each: marks[each], default="")
        limit = snapshot.limits[dataset]
        rows.append(DatasetRow(dataset, provider, marks.get(provider), limit, check.status, check.reason))
    return rows


def _needs_attention(info: ScheduleInfo, now: float) -> bool:
    """Whether the last run of a schedule failed, it does not run, or no scheduler runs it."""
    failed = info.outcome.last_run_outcome in {"dead-lettered", "lost"}
    return failed or bool(info.problem) or not info.is_claimed(now)


def _movers(quotes: Sequence[QuoteView]) -> list[QuoteView]:
    changed = [view for view in quotes if view["change_percent"] is not None and not view["stale"]]
    return sorted(changed, key=lambda view: -abs(float(view["change_percent"] or 0)))[:_MOVERS]
