"""Lets pages of other origins read the API, if a setting names them (CORS)."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from financehub_web.http.paths import is_for_api

#: Headers of a response that a page may read.
_EXPOSED = ("ETag", "Link", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id", "X-Warnings")
#: Headers of a request that a page may send.
_ACCEPTED = ("Authorization", "If-None-Match", "Last-Event-ID", "X-Request-Id")


class ApiOrigins:
    """ASGI middleware that applies CORS to the API only, so that no page reads the console.

    Args:
        app: The application behind it.
        origins: The origins that may read the API. If there are none, no page of another origin may.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._cors: ASGIApp = app
        if origins:
            self._cors = CORSMiddleware(
                app,
                allow_origins=origins,
                allow_methods=["GET", "HEAD"],
                allow_headers=_ACCEPTED,
                expose_headers=_EXPOSED,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        is_api = scope["type"] == "http" and is_for_api(scope)
        await (self._cors if is_api else self._app)(scope, receive, send)
