"""The router of one subject of the API, and how its routes are documented."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from financehub_web.api.csv_headers import WARNINGS
from financehub_web.http.refusals import MEDIA_TYPE
from financehub_web.reading.fleet import Fleet, fleet_of

#: Where the API is.
API = "/api/v1"
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
#: Status → when it is returned, for the errors that every route may have, also for the methods that it does not have.
_ERRORS = {
    304: "Nothing has changed since the answer with the tag in `If-None-Match`.",
    400: "A parameter is unknown or invalid.",
    401: "Users are configured, and the request has no token of one of them. `WWW-Authenticate` names the schemes.",
    403: "The method is not `GET`, `HEAD` or `OPTIONS`, and the request may change nothing.",
    404: "The path or the object does not exist.",
    405: "The method is not `GET`, `HEAD` or `OPTIONS`, although the user may change something in the console.",
    406: "The header `Accept` allows no format that the path has.",
    421: "The header `Host` names a host that is not allowed.",
    429: "The client sends too many requests. `Retry-After` says when to continue.",
    500: "The process failed. Its log has the reason.",
    503: "Redis does not answer. `Retry-After` says when to try again.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": text, **({} if status == 304 else _PROBLEM)} for status, text in _ERRORS.items()
}
#: In addition to JSON, for routes whose answer is a table.
CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}, "example": "symbol,price\r\nBTC-USD,71416.56\r\n"}},
        "headers": {
            "Link": {
                "description": 'CSV: the address of the next page with `rel="next"`. Missing at the end of the list.',
                "schema": {"type": "string"},
            },
            WARNINGS: {
                "description": "CSV: what is missing in the records, and why, as a JSON list. Missing if it is empty.",
                "schema": {"type": "string"},
            },
        },
    }
}


def api_router(tag: str) -> APIRouter:
    """Return the router of a subject.

    Args:
        tag: The group of its routes in the documentation.
    """
    return APIRouter(prefix=API, tags=[tag], responses=RESPONSES)


async def _fleet(request: Request) -> Fleet:
    # FastAPI would call a function that is not a coroutine in a thread, which costs more than this one
    return fleet_of(request)


#: The argument of a route that reads the state of the fleet.
FleetOf = Annotated[Fleet, Depends(_fleet)]
#: Largest length of a name in a path.
MOST_CHARACTERS = 600
#: The symbol in a path.
Symbol = Annotated[str, Path(max_length=MOST_CHARACTERS, description="The symbol of the asset.", examples=["BTC-USD"])]
