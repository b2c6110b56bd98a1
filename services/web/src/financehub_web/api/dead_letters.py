"""`/api/v1/dead-letters`: the messages that failed permanently."""

from collections.abc import Sequence
from http import HTTPStatus
from math import inf
from typing import Annotated

from fastapi import Path, Request
from fastapi import Query as Parameters
from pydantic import Field
from starlette.responses import Response

from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.broker.dead_letter_queue import DeadLetterFilter
from financehub_shared.core.durations import parse_duration
from financehub_shared.views.dead_letters import DeadLetterView, dead_letter_view
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.errors import ApiError
from financehub_web.api.newest import NewestFirst
from financehub_web.api.parameters import Duration, ListQuery, Query, Since
from financehub_web.api.routing import CSV, MOST_CHARACTERS, FleetOf, api_router
from financehub_web.reading.cache import Reading
from financehub_web.reading.since import read_since

router = api_router("work")

LetterId = Annotated[str, Path(max_length=MOST_CHARACTERS, description="The id of the dead letter.")]


class DeadLettersQuery(ListQuery):
    """The parameters of the list of dead letters."""

    limit: int = Field(100, ge=1, le=1_000, description="Largest number of dead letters on one page.")
    queue: str | None = Field(None, max_length=600, description="Only dead letters of this queue.")
    task: str | None = Field(None, max_length=600, description="Only dead letters of this task.")
    exception: str | None = Field(None, max_length=600, description="Only those whose last error has this class name.")
    reason: str | None = Field(
        None, max_length=600, description="Only those with this reason.", examples=["retries-exhausted"]
    )
    since: Since | None = Field(
        None, description="Only those that died at this time or later: a day, a time, or how long ago."
    )
    older_than: Duration | None = Field(None, description="Only those that died at least this long ago.")


@router.get("/dead-letters", response_model=Page[DeadLetterView], responses=CSV)
def list_dead_letters(request: Request, query: Annotated[DeadLettersQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return dead letters, newest first."""
    readings: list[Reading[list[DeadLetter]]] = []
    now = fleet.clock.now()
    since = read_since(query.since, now) if query.since else None
    latest = inf if query.older_than is None else float(int(now - parse_duration(query.older_than)))

    def read(until: float, count: int) -> list[DeadLetter]:
        # The other filters are applied to what was read, so that one request reads a limited number of letters.
        among = DeadLetterFilter(queue=query.queue, died_until=min(until, latest))
        readings.append(fleet.dead_letters(among, limit=count))
        return readings[-1].required()

    wanted = DeadLetterFilter(None, query.queue, query.task, query.exception, query.reason)

    def select(letters: Sequence[DeadLetter]) -> list[tuple[DeadLetter, DeadLetter]]:
        return [(letter, letter) for letter in letters if wanted.matches(letter)]

    newest = NewestFirst(read, _key, select, since)
    page, token = newest.page(query.limit, query.page_token)
    return respond(
        request,
        query,
        readings,
        lambda: Answer([dead_letter_view(letter) for letter in page], DeadLetterView, next_page_token=token),
    )


@router.get("/dead-letters/{id}", response_model=Item[DeadLetterView])
def show_dead_letter(request: Request, id: LetterId, query: Annotated[Query, Parameters()], fleet: FleetOf) -> Response:
    """Return one dead letter with its arguments, every failed attempt and the traceback."""
    reading = fleet.dead_letter(id)

    def make() -> Answer:
        if reading.value is None:
            detail = f"no dead letter has the id {id[:200]!r}; GET /api/v1/dead-letters lists them"
            raise ApiError(HTTPStatus.NOT_FOUND, "unknown-dead-letter", detail)
        return Answer(dead_letter_view(reading.value), DeadLetterView)

    return respond(request, query, [reading], make)


def _key(letter: DeadLetter) -> tuple[float, str, str]:
    return letter.died_at, letter.id, letter.queue
