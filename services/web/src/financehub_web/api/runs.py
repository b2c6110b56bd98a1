"""`/api/v1/runs` and `/api/v1/tasks`: what ran, how it ended, and how long it took."""

from http import HTTPStatus
from math import isfinite
from typing import Annotated, Literal

from fastapi import Path, Request
from fastapi import Query as Parameters
from pydantic import Field
from starlette.responses import Response

from financehub_shared.core.near_names import similar_names
from financehub_shared.monitor import RunState
from financehub_shared.monitor.outcome_history import no_outcomes
from financehub_shared.monitor.run_filter import LISTED_STATES, RunFilter, RunPosition
from financehub_shared.views.run_details import RunDetailView, run_detail_view
from financehub_shared.views.runs import RunView, run_view
from financehub_shared.views.stats import (
    TaskStatsView,
    TaskStatsWithRunsView,
    task_stats_view,
    task_stats_with_runs_view,
)
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.errors import ApiError
from financehub_web.api.paging import damaged_token, make_token, page_of, read_token
from financehub_web.api.parameters import ListQuery, Query, Since
from financehub_web.api.routing import CSV, MOST_CHARACTERS, FleetOf, api_router
from financehub_web.reading.since import read_since

router = api_router("work")

TaskName = Annotated[
    str, Path(max_length=MOST_CHARACTERS, description="The name of the task.", examples=["fetch_news_task"])
]
RunId = Annotated[
    str, Path(max_length=MOST_CHARACTERS, description="The id of the run, which is the id of its message.")
]


class RunsQuery(ListQuery):
    """The parameters of the list of runs."""

    task: str | None = Field(None, max_length=600, description="Only runs of this task.")
    schedule: str | None = Field(
        None, max_length=600, description="Only runs of this schedule.", examples=["default/fetch-news"]
    )
    state: Literal[*LISTED_STATES] | None = Field(None, description="Only runs in this state.")  # type: ignore[valid-type]
    since: Since | None = Field(
        None,
        description="Only runs that ended, or that run and started, since then: a day, a time, or how long ago.",
    )
    correlation_id: str | None = Field(None, max_length=200, description="Only the runs with this correlation id.")


@router.get("/runs", response_model=Page[RunView], responses=CSV)
def list_runs(request: Request, query: Annotated[RunsQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return the runs that have started: by their start while they run, and later by their end; newest first.

    Runs that wait for an attempt are messages in a queue. `/runs/{id}` and the runs of a schedule contain them too.
    """
    since = read_since(query.since, fleet.clock.now()) if query.since else None
    wanted = RunFilter(query.task, query.state, query.schedule, query.correlation_id, since)
    after = _position(query.page_token) if query.page_token else None
    reading = fleet.runs(wanted, after=after, limit=query.limit)

    def make() -> Answer:
        last = reading.value.last
        views = [run_view(run) for run in reading.value.runs]
        searched = reading.value.searched
        warnings = [f"{searched:,} runs were searched for this page; the next page continues"] if searched else []
        return Answer(views, RunView, warnings, None if last is None else make_token(last))

    return respond(request, query, [reading], make)


@router.get("/runs/{id}", response_model=Item[RunDetailView])
def show_run(request: Request, id: RunId, query: Annotated[Query, Parameters()], fleet: FleetOf) -> Response:
    """Return one run with its timeline and, if it failed permanently, its dead letter."""
    reading = fleet.run(id)
    run = reading.value
    letter = fleet.dead_letter(run.redis_id) if run and run.state is RunState.DEAD_LETTERED else None

    def make() -> Answer:
        if run is None:
            detail = (
                f"no run has the id {id[:200]!r}, or its record has expired; GET /api/v1/runs lists the newest runs"
            )
            raise ApiError(HTTPStatus.NOT_FOUND, "unknown-run", detail)
        return Answer(run_detail_view(run, letter.value if letter else None), RunDetailView)

    return respond(request, query, [reading, letter] if letter else [reading], make)


@router.get("/tasks", response_model=Page[TaskStatsView], responses=CSV)
def list_tasks(request: Request, query: Annotated[ListQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return the statistics of all tasks, sorted by name."""
    reading = fleet.task_stats()

    def make() -> Answer:
        page, token = page_of(
            list(reading.value.items()), lambda item: (item[0],), limit=query.limit, token=query.page_token
        )
        return Answer([task_stats_view(*item) for item in page], TaskStatsView, next_page_token=token)

    return respond(request, query, [reading], make)


@router.get("/tasks/{task}", response_model=Item[TaskStatsWithRunsView])
def show_task(request: Request, task: TaskName, query: Annotated[Query, Parameters()], fleet: FleetOf) -> Response:
    """Return the statistics of one task with its last 24 hours and its newest runs."""
    stats = fleet.task_stats()
    if task not in stats.required():
        near = similar_names(task, stats.value)
        hint = f"did you mean {' or '.join(near)}?" if near else "GET /api/v1/tasks lists all tasks"
        raise ApiError(HTTPStatus.NOT_FOUND, "unknown-task", f"unknown task {task[:200]!r}; {hint}", near=near)
    runs, outcomes = fleet.task_runs(task), fleet.task_outcomes()

    def make() -> Answer:
        # A task whose first run has just ended may be in the newer reading only.
        hours = outcomes.value.get(task) or no_outcomes(outcomes.at)
        view = task_stats_with_runs_view(task, stats.value[task], runs.value, hours)
        return Answer(view, TaskStatsWithRunsView)

    return respond(request, query, [stats, runs, outcomes], make)


def _position(token: str) -> RunPosition:
    """Return the position of the last run of the previous page.

    Raises:
        ApiError: The token is damaged.
    """
    key = read_token(token)
    if len(key) == 2 and isinstance(key[0], int | float) and isfinite(key[0]) and isinstance(key[1], str):
        return RunPosition(float(key[0]), key[1])
    raise damaged_token()
