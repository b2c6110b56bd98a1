"""The pages with the dead letters, and with one of them."""

from collections import Counter
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from financehub_shared.broker.dead_letter_queue import DeadLetterFilter
from financehub_shared.core.durations import parse_duration
from financehub_shared.core.text import dump_json
from financehub_shared.views.dead_letters import dead_letter_view
from financehub_web.console.errors import PageError
from financehub_web.console.links import Links
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
#: Largest number of letters that one request reads, and number of rows on one page.
_MOST_READ, ROWS = 500, 50


class DeadLettersQuery(BaseModel):
    """The filter of the page, which its address contains.

    Args:
        queue, task, exception, reason: Values that a letter must have. Empty selects all.
        older_than: Minimum age, such as `12h`.
        page: Number of the page.
    """

    queue: str = Field("", max_length=200)
    task: str = Field("", max_length=200)
    exception: str = Field("", max_length=200)
    reason: str = Field("", max_length=100)
    older_than: str = Field("", max_length=20)
    page: int = Field(1, ge=1)

    def parameters(self) -> dict[str, str]:
        """Return the filter as parameters, which the list of the API and the actions have too."""
        return {name: value.strip() for name, value in self.model_dump(exclude={"page"}).items() if value.strip()}


@page(router, "/dead-letters", "dead_letters")
def dead_letters(
    request: Request, query: Annotated[DeadLettersQuery, Query()], fleet: Annotated[Fleet, Depends(fleet_of)]
) -> Response:
    """Show the dead letters that match the filter, newest first, with their number for each reason."""
    snapshot = fleet.snapshot()
    wanted = DeadLetterFilter(
        None, query.queue or None, query.task or None, query.exception or None, query.reason or None, _age(query)
    )
    reading = fleet.search_dead_letters(wanted, limit=_MOST_READ)
    letters, searched = reading.value
    first = (query.page - 1) * ROWS
    values = {
        "query": query,
        "chosen": query.parameters(),
        "letters": letters[first : first + ROWS],
        "searched": searched,
        "first": first,
        "total": len(letters),
        "size": ROWS,
        "most": _MOST_READ,
        "known": sum(figures.dead for figures in snapshot.value.queues),
        "queues": [figures.queue for figures in snapshot.value.queues],
        "tasks": list(fleet.task_stats().value),
        "reasons": Counter(letter.reason for letter in letters).most_common(),
        "exceptions": Counter(letter.exception for letter in letters if letter.exception).most_common(10),
    }
    return show(request, "dead_letters.html", "Dead letters", "dead_letters", values, snapshot, reading)


def _age(query: DeadLettersQuery) -> float:
    """Return the minimum age in seconds.

    Raises:
        PageError: It is not a duration.
    """
    try:
        return parse_duration(query.older_than.strip()) if query.older_than.strip() else 0.0
    except ValueError as error:
        raise PageError(HTTPStatus.BAD_REQUEST, "This address is not valid", f"older_than: {error}.") from error


@page(router, "/dead-letters/{id}", "dead_letter")
def dead_letter(request: Request, id: str, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Show one dead letter with its arguments, its failures and its traceback."""
    reading = fleet.dead_letter(id)
    letter = reading.value
    if letter is None:
        detail = "It was requeued or purged, or this id was never that of a dead letter."
        address = Links(request).page("dead_letters")
        title = f"The dead letter {id} does not exist"
        raise PageError(HTTPStatus.NOT_FOUND, title, detail, [("All dead letters", address)])
    view = dead_letter_view(letter)
    values = {
        "letter": view,
        "arguments": dump_json({"args": view["args"], "kwargs": view["kwargs"]}, indent=2)
        if view["args"] or view["kwargs"]
        else "",
    }
    title = f"Dead letter of {letter.task}" if letter.task else "Dead letter"
    return show(request, "dead_letter.html", title, "dead_letters", values, reading)
