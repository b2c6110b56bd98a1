"""Responses that several upstreams share."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import PlainTextResponse, Response

from financehub_simulator.market import Bar
from financehub_simulator.state import ActiveFault

FaultResponse = Callable[[ActiveFault], Response]


class CompactJsonResponse(Response):
    """JSON without whitespace, as the upstreams write it. It may contain NaN if a fault sets it."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def html_page(title: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an HTML page instead of JSON or XML."""
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Response(body, status, dict(headers or {}), "text/html; charset=utf-8")


def change_percent(bar: Bar, reference: float | None = None) -> float:
    """Return the change in percent since `reference`, by default the open of the bar; 0 if the reference is 0."""
    before = bar.open if reference is None else reference
    return (bar.close - before) / before * 100 if before else 0.0


def retry_after_header(fault: ActiveFault) -> dict[str, str]:
    """Return the Retry-After header of a fault, or no header if its `retry_after` is null or absent."""
    seconds = fault.parameters.get("retry_after")
    return {} if seconds is None else {"Retry-After": str(seconds)}


#: The responses to faults that look the same at every upstream.
COMMON_FAULT_RESPONSES: Mapping[str, FaultResponse] = {
    "rate-limited": lambda fault: PlainTextResponse("Too Many Requests\r\n", 429, retry_after_header(fault)),
    "forbidden": lambda _fault: html_page("403 Forbidden", 403),
    "server-error": lambda _fault: PlainTextResponse("Internal Server Error", 500),
    "unavailable": lambda fault: html_page("503 Service Temporarily Unavailable", 503, retry_after_header(fault)),
    "html": lambda _fault: html_page("Checking your browser before accessing"),
}
