"""The state of the fleet: `/api/v1/health`, `status`, `freshness`, `providers`, `queues`, `workers`, `breakers`."""

from typing import Annotated

from fastapi import Query as Parameters
from fastapi import Request
from starlette.responses import Response

from financehub_shared.core.provider_specs import PROVIDERS, Dataset
from financehub_shared.health.freshness import dataset_limits
from financehub_shared.views.breakers import BreakerView, breaker_view
from financehub_shared.views.fleet import QueueView, queue_view
from financehub_shared.views.freshness import FreshnessView, freshness_views
from financehub_shared.views.health import HealthView, health_view
from financehub_shared.views.processes import ProcessView, process_view
from financehub_shared.views.providers import ProviderView, provider_view
from financehub_shared.views.status import StatusView, status_view
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.paging import page_of
from financehub_web.api.parameters import ListQuery, Query
from financehub_web.api.routing import CSV, FleetOf, api_router

router = api_router("fleet")

ListParameters = Annotated[ListQuery, Parameters()]


@router.get("/health", response_model=Item[HealthView])
def show_health(request: Request, query: Annotated[Query, Parameters()], fleet: FleetOf) -> Response:
    """Return the health report. An unhealthy fleet is not an error of this path, in contrast to `/api/health/`."""
    reading = fleet.health_report()
    return respond(request, query, [reading], lambda: Answer(health_view(reading.value), HealthView))


@router.get("/status", response_model=Item[StatusView])
def show_status(request: Request, query: Annotated[Query, Parameters()], fleet: FleetOf) -> Response:
    """Return the state of the whole fleet: health, tiers, queues, schedules, breakers and freshness."""
    snapshot, schedules, refused = fleet.snapshot(), fleet.schedules(), fleet.refused_schedules()

    def make() -> Answer:
        report = fleet.report_of(snapshot.value)
        return Answer(status_view(report, snapshot.value, schedules.value, refused.value), StatusView)

    return respond(request, query, [snapshot, schedules, refused], make)


@router.get("/freshness", response_model=Page[FreshnessView], responses=CSV)
def list_freshness(request: Request, query: ListParameters, fleet: FleetOf) -> Response:
    """Return when each provider last delivered each dataset."""
    reading, schedules = fleet.last_success(), fleet.schedules()

    def make() -> Answer:
        views = freshness_views(reading.value, dataset_limits(schedules.value, reading.at), reading.at)
        page, token = page_of(
            views, lambda view: (view["dataset"], view["provider"]), limit=query.limit, token=query.page_token
        )
        return Answer(page, FreshnessView, next_page_token=token)

    return respond(request, query, [reading, schedules], make)


@router.get("/providers", response_model=Page[ProviderView], responses=CSV)
def list_providers(request: Request, query: ListParameters, fleet: FleetOf) -> Response:
    """Return all providers with their order, budgets, circuit breakers and last deliveries, sorted by name."""
    breakers, deliveries, schedules = fleet.breakers(), fleet.last_success(), fleet.schedules()
    budgets = fleet.budgets()
    orders = {dataset.value: fleet.settings.provider_order(dataset) for dataset in Dataset}

    def make() -> Answer:
        now = deliveries.at
        limits = dataset_limits(schedules.value, now)
        views = [
            provider_view(spec, breakers.value, deliveries.value, limits, now, orders=orders, budgets=budgets.value)
            for spec in PROVIDERS.values()
        ]
        page, token = page_of(views, lambda view: (view["name"],), limit=query.limit, token=query.page_token)
        return Answer(page, ProviderView, next_page_token=token)

    return respond(request, query, [breakers, deliveries, schedules, budgets], make)


@router.get("/queues", response_model=Page[QueueView], responses=CSV)
def list_queues(request: Request, query: ListParameters, fleet: FleetOf) -> Response:
    """Return the statistics of all queues, sorted by name."""
    reading = fleet.queues()

    def make() -> Answer:
        page, token = page_of(
            reading.value, lambda figures: (figures.queue,), limit=query.limit, token=query.page_token
        )
        return Answer([queue_view(figures) for figures in page], QueueView, next_page_token=token)

    return respond(request, query, [reading], make)


@router.get("/workers", response_model=Page[ProcessView], responses=CSV)
def list_workers(request: Request, query: ListParameters, fleet: FleetOf) -> Response:
    """Return the live workers and schedulers with the runs that they have in progress, sorted by tier."""
    reading, running = fleet.processes(), fleet.running()

    def make() -> Answer:
        page, token = page_of(
            reading.value, lambda process: (process.tier, process.id), limit=query.limit, token=query.page_token
        )
        return Answer(
            [process_view(process, running.value.runs) for process in page], ProcessView, next_page_token=token
        )

    return respond(request, query, [reading, running], make)


@router.get("/breakers", response_model=Page[BreakerView], responses=CSV)
def list_breakers(request: Request, query: ListParameters, fleet: FleetOf) -> Response:
    """Return the circuit breakers that have been used, sorted by upstream."""
    reading = fleet.breakers()

    def make() -> Answer:
        page, token = page_of(reading.value, lambda info: (info.upstream,), limit=query.limit, token=query.page_token)
        warnings = [info.problem for info in reading.value if info.problem]
        return Answer([breaker_view(info) for info in page], BreakerView, warnings, token)

    return respond(request, query, [reading], make)
