"""`/api/v1/schedules`: the registered schedules and their runs."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Request
from fastapi import Query as Parameters
from pydantic import Field
from starlette.responses import Response

from financehub_shared.core.near_names import similar_names
from financehub_shared.monitor import RunRecord
from financehub_shared.schedules import ScheduleInfo
from financehub_shared.views.runs import RunView, run_view
from financehub_shared.views.schedules import ScheduleDetailView, ScheduleView, schedule_detail_view, schedule_view
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.errors import ApiError
from financehub_web.api.paging import make_token, page_of, read_token
from financehub_web.api.parameters import ListQuery, Query, selected
from financehub_web.api.routing import CSV, MOST_CHARACTERS, FleetOf, api_router
from financehub_web.reading.fleet import Fleet
from financehub_web.reading.schedule_states import State, has_state

router = api_router("work")

Namespace = Annotated[
    str, Path(max_length=MOST_CHARACTERS, description="The namespace of the schedule.", examples=["default"])
]
Name = Annotated[
    str, Path(max_length=MOST_CHARACTERS, description="The name of the schedule.", examples=["fetch-news"])
]


class SchedulesQuery(ListQuery):
    """The parameters of the list of schedules."""

    task: str | None = Field(None, max_length=600, description="Only schedules of this task.")
    suspended: bool | None = Field(None, description="Only suspended schedules, or only those that are not.")
    paused: bool | None = Field(None, description="Only paused schedules, or only those that are not.")
    q: str = Field("", max_length=200, description="Only schedules whose name contains this text.")
    state: State | None = Field(
        None,
        description="Only schedules in this state, such as those whose last run failed. A schedule is late if its next "
        "run was due a minute ago or earlier, or if no live scheduler runs it.",
    )


@router.get("/schedules", response_model=Page[ScheduleView], responses=CSV)
def list_schedules(request: Request, query: Annotated[SchedulesQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return all registered schedules, sorted by name. `meta.warnings` contains the refused documents."""
    reading, refused = fleet.schedules(), fleet.refused_schedules()

    def make() -> Answer:
        chosen = [
            info
            for info in reading.value
            if selected(info.task, query.task)
            and selected(info.suspended, query.suspended)
            and selected(info.is_paused, query.paused)
            and query.q.casefold() in info.name.casefold()
            and (query.state is None or has_state(info, query.state, reading.at))
        ]
        page, token = page_of(chosen, lambda info: (info.name,), limit=query.limit, token=query.page_token)
        views = [schedule_view(info, reading.at) for info in page]
        warnings = [f"refused: {place}: {why}" for place, why in refused.value.items()]
        return Answer(views, ScheduleView, warnings, token)

    return respond(request, query, [reading, refused], make)


@router.get("/schedules/{namespace}/{name}", response_model=Item[ScheduleDetailView])
def show_schedule(
    request: Request, namespace: Namespace, name: Name, query: Annotated[Query, Parameters()], fleet: FleetOf
) -> Response:
    """Return one schedule with its spec and its newest runs."""
    reading = fleet.schedules()
    info = _require_schedule(fleet, namespace, name)
    runs = fleet.schedule_runs(info.uid)
    return respond(
        request,
        query,
        [reading, runs],
        lambda: Answer(schedule_detail_view(info, runs.value, reading.at), ScheduleDetailView),
    )


@router.get("/schedules/{namespace}/{name}/runs", response_model=Page[RunView], responses=CSV)
def list_schedule_runs(
    request: Request, namespace: Namespace, name: Name, query: Annotated[ListQuery, Parameters()], fleet: FleetOf
) -> Response:
    """Return the newest runs of one schedule, at most ten, newest first. `/runs?schedule=` has older ones."""
    reading = fleet.schedules()
    info = _require_schedule(fleet, namespace, name)
    runs = fleet.schedule_runs(info.uid)

    def make() -> Answer:
        rest = behind(runs.value, query.page_token)
        page = rest[: query.limit]
        token = make_token((page[-1].message_id,)) if len(rest) > len(page) else None
        return Answer([run_view(run) for run in page], RunView, next_page_token=token)

    return respond(request, query, [reading, runs], make)


def behind(runs: list[RunRecord], token: str) -> list[RunRecord]:
    """Return the runs behind the one that a token names; none if newer runs have replaced it and all older ones.

    Raises:
        ApiError: The token is damaged.
    """
    if not token:
        return runs
    (last, *_) = read_token(token)
    ids = [run.message_id for run in runs]
    return runs[ids.index(last) + 1 :] if last in ids else []


def _require_schedule(fleet: Fleet, namespace: str, name: str) -> ScheduleInfo:
    """Return a schedule.

    Raises:
        ApiError: It is not registered. The error contains names that the client may have meant.
    """
    wanted = f"{namespace}/{name}"
    schedules = {info.name: info for info in fleet.schedules().required()}
    if wanted in schedules:
        return schedules[wanted]
    near = similar_names(wanted, schedules)
    hint = f"did you mean {' or '.join(near)}?" if near else "GET /api/v1/schedules lists all schedules"
    raise ApiError(HTTPStatus.NOT_FOUND, "unknown-schedule", f"{wanted[:200]!r} is not registered; {hint}", near=near)
