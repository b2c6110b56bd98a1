"""Counts and times the requests by the template of their path, never by a symbol."""

import time
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The route of requests whose path does not exist, because anybody can request any path.
UNKNOWN_ROUTE = "unknown"
#: Other methods are counted together for the same reason.
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class RequestMetrics(Protocol):
    """Receives what was measured."""

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            route: Template of its path.
            method: Its method.
            status: Status of the response.
            seconds: Time until the response began.
        """
        ...


class Measuring:
    """ASGI middleware that measures each request until the response begins, so a slow client does not count.

    Args:
        app: The application behind it.
        metrics: Receives the measurements.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"] if scope["method"] in _METHODS else "other"

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - began
                self._metrics.observe_request(route_of(scope), method, message["status"], seconds)
            await send(message)

        await self._app(scope, receive, send_measured)


def route_of(scope: Scope) -> str:
    """Return the template of the path of a request that was routed."""
    return getattr(scope.get("route"), "path", "") or UNKNOWN_ROUTE
