"""Builds the response with a page: the frame that all pages share, headers and ETag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.models import is_simulated
from financehub_web.console.acting import last_action, may_act
from financehub_web.console.attention import attention_of
from financehub_web.console.headers import SAFE_HEADERS
from financehub_web.console.links import Links
from financehub_web.console.responses import respond
from financehub_web.console.templates import render
from financehub_web.console.verdict import Verdict, unavailable, verdict_of
from financehub_web.reading.cache import Reading
from financehub_web.reading.fleet import Fleet, fleet_of

#: (heading, ((name of the route, label), …)) of the groups of the navigation.
NAVIGATION = (
    ("", (("overview", "Overview"),)),
    ("Data", (("quotes", "Quotes"), ("news", "News"), ("assets", "Assets"), ("quarantine", "Quarantine"))),
    ("Work", (("schedules", "Schedules"), ("runs", "Runs"), ("tasks", "Tasks"), ("dead_letters", "Dead letters"))),
    ("System", (("providers", "Providers"), ("fleet", "Fleet"), ("about", "About"))),
)
VERSION = version("financehub-web")


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame of every page shows.

    Args:
        title: Title of the page.
        section: Name of the route that the navigation marks.
        verdict: Whether everything is all right.
        simulated: Whether the prices come from the simulator.
        problem: Why the page shows old data. Empty if Redis answers.
        at: Time of the data in Unix seconds.
        now: The current time in Unix seconds.
        live: Whether the page updates itself.
        warnings: The records that cannot be read and are missing on the page, each with the reason.
    """

    title: str
    section: str
    verdict: Verdict
    simulated: bool
    problem: str
    at: float
    now: float
    live: bool
    warnings: Sequence[str] = ()


def show(
    request: Request,
    template: str,
    title: str,
    section: str,
    values: Mapping[str, Any],
    *readings: Reading[Any],
    status: HTTPStatus = HTTPStatus.OK,
    live: bool = True,
) -> Response:
    """Return the response with a page.

    Args:
        request: The request.
        template: Name of the template.
        title: Title of the page.
        section: Name of the route that the navigation marks.
        values: Further variables of the template.
        readings: The readings that the page shows.
        status: The HTTP status.
        live: Whether the page updates itself.
    """
    links = Links(request)
    if last := _last_page(values):
        # The list has become shorter, or somebody has typed the number.
        return RedirectResponse(links.current(page=str(last)), HTTPStatus.TEMPORARY_REDIRECT, SAFE_HEADERS)
    frame = _frame(fleet_of(request), title, section, readings, live=live)
    variables = {
        "frame": frame,
        "links": links,
        "navigation": NAVIGATION,
        "version": VERSION,
        "now": frame.now,
        "may_act": may_act(request),
        "last_action": last_action(request),
    }
    html = render(template, {**variables, **values})
    return respond(request, html, "text/html; charset=utf-8", status)


def _last_page(values: Mapping[str, Any]) -> int:
    """Return the number of the last page of a list if the requested page is behind it, and 0 otherwise.

    Args:
        values: The variables of the template: `first`, `total` and `size` if it shows a list with several pages.
    """
    first = values.get("first", 0)
    return max(1, -(-values["total"] // values["size"])) if first and first >= values["total"] else 0


def _frame(fleet: Fleet, title: str, section: str, readings: tuple[Reading[Any], ...], *, live: bool) -> Frame:
    now = fleet.clock.now()
    try:
        snapshot, schedules = fleet.snapshot(), fleet.schedules()
    except StoreUnavailableError as error:
        return Frame(
            title, section, unavailable(str(error), now), simulated=False, problem="", at=now, now=now, live=live
        )
    if snapshot.problem:
        verdict = unavailable(snapshot.problem, snapshot.at)
    else:
        attention = attention_of(schedules.value, snapshot.value.queues, now)
        verdict = verdict_of(fleet.report_of(snapshot.value), attention)
    shown = (snapshot, *readings)
    return Frame(
        title,
        section,
        verdict,
        simulated=any(is_simulated(provider) for _, provider in snapshot.value.last_success),
        problem=next((reading.problem for reading in shown if reading.problem), ""),
        at=min(reading.at for reading in shown),
        now=now,
        live=live,
        warnings=list(dict.fromkeys(warning for reading in shown for warning in reading.warnings)),
    )
