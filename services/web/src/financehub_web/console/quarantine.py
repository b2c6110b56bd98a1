"""The page with the data that validation rejected."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from financehub_shared.core.models import REJECTED_KINDS
from financehub_shared.views.quarantine import quarantine_view
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()
#: Largest number of rows.
ROWS = 200


class QuarantineQuery(BaseModel):
    """The filter of the page, which its address contains."""

    symbol: str = Field("", max_length=200)
    kind: Literal["", "quote", "bar", "news"] = ""

    def parameters(self) -> dict[str, str]:
        """Return the filter as parameters, which the list of the API has too."""
        return {name: value for name, value in (("symbol", self.symbol.strip()), ("kind", self.kind)) if value}


@page(router, "/quarantine", "quarantine")
def quarantine(
    request: Request, query: Annotated[QuarantineQuery, Query()], fleet: Annotated[Fleet, Depends(fleet_of)]
) -> Response:
    """Show the rejected data that matches the filter, the last rejection first."""
    reading = fleet.quarantined(query.symbol.strip() or None, kind=query.kind or None, limit=ROWS + 1)
    now = fleet.clock.now()
    values = {
        "query": query,
        "chosen": query.parameters(),
        "kinds": REJECTED_KINDS,
        "rows": [quarantine_view(record, now) for record in reading.value[:ROWS]],
        "more": len(reading.value) > ROWS,
        "assets": fleet.assets().value,
    }
    return show(request, "quarantine.html", "Quarantine", "quarantine", values, reading)
