"""The pages with all schedules, and with one schedule."""

import re
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from financehub_shared.core.moments import format_moment
from financehub_shared.schedules import ScheduleInfo
from financehub_shared.schedules.due_times import DueTimes, next_due_times, zone_of
from financehub_shared.schedules.spec_text import spec_yaml
from financehub_web.console.errors import PageError
from financehub_web.console.links import Links
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.console.sparklines import line_path
from financehub_web.reading.fleet import Fleet, fleet_of
from financehub_web.reading.schedule_states import STATES, has_state

router = APIRouter()
#: Number of rows on one page. Each needs the records of its ten newest runs.
ROWS = 50
#: Number of next due times on the page of a schedule.
DUE_TIMES = 10


class SchedulesQuery(BaseModel):
    """The filter of the page, which its address contains.

    Args:
        q: Part of a name.
        task: Task that the schedules run. Empty selects all.
        state: State of the schedules. Empty selects all.
        page: Number of the page.
    """

    q: str = Field("", max_length=200)
    task: str = Field("", max_length=200)
    state: Literal["", *STATES] = ""  # type: ignore[valid-type]
    page: int = Field(1, ge=1)

    def parameters(self) -> dict[str, str]:
        """Return the filter as parameters, which the list of the API has too."""
        return {name: value.strip() for name, value in self.model_dump(exclude={"page"}).items() if value.strip()}


@page(router, "/schedules", "schedules")
def schedules(
    request: Request, query: Annotated[SchedulesQuery, Query()], fleet: Annotated[Fleet, Depends(fleet_of)]
) -> Response:
    """Show the schedules that match the filter, and the documents that the scheduler refused."""
    reading, refused = fleet.schedules(), fleet.refused_schedules()
    now = fleet.clock.now()
    found = [info for info in reading.value if _matches(info, query, now)]
    first = (query.page - 1) * ROWS
    shown = found[first : first + ROWS]
    runs = fleet.runs_of([id for info in shown for id in info.recent])
    records = {run.message_id: run for run in runs.value}
    values = {
        "query": query,
        "chosen": query.parameters(),
        "states": {"": "all", **STATES},
        "rows": [
            {
                "info": info,
                "alive": info.is_claimed(now),
                "late": info.is_late(now),
                "recent": [records[id] for id in info.recent if id in records],
                "words": in_words(info),
            }
            for info in shown
        ],
        "first": first,
        "total": len(found),
        "size": ROWS,
        "known": len(reading.value),
        "tasks": sorted({info.task for info in reading.value}),
        "refused": refused.value,
    }
    return show(request, "schedules.html", "Schedules", "schedules", values, reading, refused, runs)


def _matches(info: ScheduleInfo, query: SchedulesQuery, now: float) -> bool:
    is_named = query.q.strip().casefold() in info.name.casefold()
    is_chosen = not query.state or has_state(info, query.state, now)
    return is_named and is_chosen and (not query.task or info.task == query.task)


_KNOWN = {
    "@hourly": "every hour",
    "@daily": "every day at midnight",
    "@weekly": "every week",
    "@monthly": "every month",
}
_UNITS = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
_INTERVAL = re.compile(r"@every (\d+)([dhms])")


def in_words(info: ScheduleInfo) -> str:
    """Return the recurrence of a schedule: an interval in words, and a cron expression as it is, with its time zone."""
    if info.after:
        return f"after each success of {info.after.partition('/')[2]}"
    text = info.recurrence_text
    if interval := _INTERVAL.fullmatch(text):
        unit = _UNITS[interval[2]]
        return f"every {unit}" if interval[1] == "1" else f"every {interval[1]} {unit}s"
    zone = info.spec.get("timeZone")
    return f"{_KNOWN.get(text, text)}{f' in {zone}' if zone else ''}"


@page(router, "/schedules/{namespace}/{name}", "schedule")
def schedule(request: Request, namespace: str, name: str, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Show one schedule with its spec, its next due times and its newest runs."""
    reading = fleet.schedules()
    full_name = f"{namespace}/{name}"
    info = next((each for each in reading.value if each.name == full_name), None)
    if info is None:
        address = Links(request).page("schedules")
        title, detail = f"The schedule {full_name} is not registered", "It may have been deleted."
        raise PageError(HTTPStatus.NOT_FOUND, title, detail, [("All schedules", address)])
    runs, backfills = fleet.schedule_runs(info.uid), fleet.schedule_backfills(info.uid)
    durations = [run.duration for run in reversed(runs.value) if run.duration is not None]
    zone_name, zone = zone_of(info)
    is_due = not (info.problem or info.suspended or info.paused)
    next_due = next_due_times(info, fleet.clock.now(), DUE_TIMES) if is_due else DueTimes()
    values: dict[str, Any] = {
        "info": info,
        "followers": [each.name for each in reading.value if each.after == info.name],
        "alive": info.is_claimed(fleet.clock.now()),
        "words": in_words(info),
        "runs": runs.value,
        "spec": spec_yaml(info),
        "due": [(at, format_moment(at, zone)) for at in next_due.times],
        "backfills": [
            {"info": each, "start": format_moment(each.start, zone), "end": format_moment(each.end, zone)}
            for each in backfills.value
        ],
        "due_problem": next_due.problem,
        "delay": next_due.delay,
        "zone": zone_name,
        "durations": durations,
        "path": line_path(durations),
    }
    return show(request, "schedule.html", info.name, "schedules", values, reading, runs, backfills)
