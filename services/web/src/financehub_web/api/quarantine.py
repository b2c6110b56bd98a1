"""`/api/v1/quarantine`: data that was rejected, and why."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import Field
from starlette.responses import Response

from financehub_shared.core.models import Quarantined
from financehub_shared.views.quarantine import QuarantineView, quarantine_view
from financehub_web.api.answers import Answer, Page, respond
from financehub_web.api.newest import NewestFirst
from financehub_web.api.parameters import ListQuery, Moment, selected
from financehub_web.api.routing import CSV, FleetOf, api_router
from financehub_web.reading.cache import Reading

router = api_router("news")


class QuarantineQuery(ListQuery):
    """The parameters of the quarantine."""

    symbol: str | None = Field(None, max_length=600, description="Only this symbol, or this feed of news items.")
    kind: Literal["quote", "bar", "news"] | None = Field(None, description="Only this kind of data.")
    provider: str | None = Field(None, max_length=200, description="Only data of this provider.")
    since: Moment | None = Field(None, description="Only data that was rejected at this time or later.")


@router.get("/quarantine", response_model=Page[QuarantineView], responses=CSV)
def list_quarantine(request: Request, query: Annotated[QuarantineQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return the quarantine records, the last rejection first."""
    readings: list[Reading[list[Quarantined]]] = []

    def read(until: float, count: int) -> list[Quarantined]:
        readings.append(fleet.quarantined(query.symbol, kind=query.kind, limit=count, until=until))
        return readings[-1].required()

    def select(records: Sequence[Quarantined]) -> list[tuple[Quarantined, Quarantined]]:
        return [(record, record) for record in records if selected(record.provider, query.provider)]

    newest = NewestFirst(read, _key, select, query.since)
    page, token = newest.page(query.limit, query.page_token)
    now = readings[0].at
    return respond(
        request,
        query,
        readings,
        lambda: Answer([quarantine_view(each, now) for each in page], QuarantineView, next_page_token=token),
    )


def _key(record: Quarantined) -> tuple[float, str, str, str, str]:
    return record.at, record.kind, record.symbol, record.provider, record.reason_class
