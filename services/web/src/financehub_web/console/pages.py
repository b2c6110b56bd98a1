"""The routes of all pages."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from financehub_web.console.templates import render
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter(include_in_schema=False)


@router.get("/", name="overview")
def overview(request: Request, fleet: Annotated[Fleet, Depends(fleet_of)]) -> HTMLResponse:
    """Answer whether everything is all right."""
    return render(request, "overview.html", {"report": fleet.health()})
