"""The pages with the runs of all tasks, and with one run."""

from http import HTTPStatus
from math import isfinite, nan
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from financehub_shared.core.text import dump_json
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.monitor.run_filter import LISTED_STATES, RunFilter, RunPosition
from financehub_shared.operations.runs import why_not_again
from financehub_shared.views.run_details import run_detail_view
from financehub_web.console.errors import PageError
from financehub_web.console.links import Links
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.console.timeline import timeline_of
from financehub_web.reading.cache import Reading
from financehub_web.reading.fleet import Fleet, fleet_of
from financehub_web.reading.since import read_since

router = APIRouter()
#: Number of rows on one page.
ROWS = 50

_State = Literal["", *LISTED_STATES]  # type: ignore[valid-type]


class RunsQuery(BaseModel):
    """The filter of the page, which its address contains.

    Args:
        task, schedule, state, correlation_id: Values that a run must have. Empty selects all.
        since: Earliest time: a day, a time, or how long ago, such as `1h`.
        before: Where the page begins: the time and the id of the last run of the previous page.
    """

    task: str = Field("", max_length=200)
    schedule: str = Field("", max_length=500)
    state: _State = ""
    correlation_id: str = Field("", max_length=200)
    since: str = Field("", max_length=100)
    before: str = Field("", max_length=300)

    def parameters(self) -> dict[str, str]:
        """Return the filter as parameters, which the list of the API has too."""
        return {name: value.strip() for name, value in self.model_dump(exclude={"before"}).items() if value.strip()}


@page(router, "/runs", "runs")
def runs(
    request: Request, query: Annotated[RunsQuery, Query()], fleet: Annotated[Fleet, Depends(fleet_of)]
) -> Response:
    """Show the runs that match the filter, newest first."""
    stats, schedules = fleet.task_stats(), fleet.schedules()
    wanted = RunFilter(
        query.task or None,
        RunState(query.state) if query.state else None,
        query.schedule or None,
        query.correlation_id.strip() or None,
        _since(query.since.strip(), fleet.clock.now()),
    )
    reading = fleet.runs(wanted, after=_position(query.before), limit=ROWS)
    last = reading.value.last
    values = {
        "query": query,
        "chosen": query.parameters(),
        "runs": reading.value.runs,
        "searched": reading.value.searched,
        "next_page": f"{last.at!r}~{last.id}" if last else "",
        "tasks": list(stats.value),
        "schedules": [info.name for info in schedules.value],
        "states": LISTED_STATES,
        "retention": _retention(fleet),
    }
    return show(request, "runs.html", "Runs", "runs", values, stats, schedules, reading)


def _since(text: str, now: float) -> float | None:
    """Return the earliest time in Unix seconds.

    Raises:
        PageError: It is not a time.
    """
    try:
        return read_since(text, now) if text else None
    except ValueError as error:
        detail = f"Since: {error}."
        raise PageError(HTTPStatus.BAD_REQUEST, "This address is not valid", detail) from error


def _position(text: str) -> RunPosition | None:
    """Return the position that the address names.

    Raises:
        PageError: It is damaged.
    """
    if not text:
        return None
    at, _, id = text.partition("~")
    try:
        position = RunPosition(float(at), id)
    except ValueError:
        position = RunPosition(nan, id)
    if not isfinite(position.at):
        detail = "The parameter before is the beginning of a page. Open the first page instead."
        raise PageError(HTTPStatus.BAD_REQUEST, "This address is not valid", detail)
    return position


@page(router, "/runs/{id}", "run")
def run(request: Request, id: str, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Show one run with its times, its result and its error."""
    reading = fleet.run(id)
    record = reading.value
    if record is None:
        detail = f"It is unknown, or its record has expired. {_retention(fleet)}"
        address = Links(request).page("runs")
        raise PageError(HTTPStatus.NOT_FOUND, f"The run {id} does not exist", detail, [("All runs", address)])
    is_dead = record.state is RunState.DEAD_LETTERED and record.redis_id
    letter = fleet.dead_letter(record.redis_id) if is_dead else None
    processes = fleet.processes()
    view = run_detail_view(record, letter.value if letter else None)
    summary = record.summary if isinstance(record.summary, dict) else {}
    values = {
        "run": record,
        "timeline": timeline_of(view["timeline"]),
        "letter": view["dead_letter"],
        "is_worker_live": record.worker in {process.id for process in processes.value},
        "missing": _mapping(summary.get("missing")),
        "delivered": _mapping(summary.get("providers")),
        "details": _mapping(summary.get("details")),
        "arguments": _arguments(record),
        "why_not_again": why_not_again(record),
        "raw": dump_json(record.summary, indent=2) if record.summary else "",
    }
    readings: list[Reading[Any]] = [reading, processes, *([letter] if letter else [])]
    return show(request, "run.html", f"Run {record.message_id[:8]}", "runs", values, *readings)


def _retention(fleet: Fleet) -> str:
    """Return the sentence that says how long a run can be found."""
    days = fleet.settings.run_retention_days
    return f"Records of runs are kept for {days:,} {'day' if days == 1 else 'days'}."


def _arguments(record: RunRecord) -> str:
    """Return the arguments of a run as JSON, or an empty string if there are none to show."""
    arguments = record.arguments
    if arguments is None or not (arguments.args or arguments.kwargs):
        return ""
    return dump_json(
        {"args": arguments.args, "kwargs": arguments.kwargs} if arguments.args else arguments.kwargs, indent=2
    )


def _mapping(value: object) -> dict[str, Any]:
    """Return a part of a summary, which another program may have written."""
    return value if isinstance(value, dict) else {}
