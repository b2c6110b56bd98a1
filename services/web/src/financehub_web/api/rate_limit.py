"""Limits the requests of each client to the API, so that none of them slows the others down."""

import math
from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from financehub_web.http.clients import client_of
from financehub_web.http.limiter import RateLimiter, Verdict
from financehub_web.http.networks import Network
from financehub_web.http.paths import is_for_api, path_of
from financehub_web.http.refusals import refusal

#: The rate is an average over this time, so a client may send some requests at once.
WINDOW_SECONDS = 10.0


def request_limiter(per_second: float, monotonic: Callable[[], float]) -> RateLimiter:
    """Return the limiter of the requests of each client.

    Args:
        per_second: Requests per second, on average over `WINDOW_SECONDS`.
        monotonic: Returns the monotonic time in seconds.
    """
    return RateLimiter(max(1, round(per_second * WINDOW_SECONDS)), WINDOW_SECONDS, monotonic)


class RateLimit:
    """ASGI middleware that answers 429 to a client that sends too many requests to the API.

    Args:
        app: The application behind it.
        limiter: Counts the requests.
        proxies: Networks of proxies that name the client of a request.
        exempt: Paths that are not limited, because monitoring needs them.
    """

    def __init__(self, app: ASGIApp, limiter: RateLimiter, proxies: Sequence[Network], exempt: Collection[str]) -> None:
        self._app = app
        self._limiter = limiter
        self._proxies = proxies
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not is_for_api(scope) or path_of(scope) in self._exempt:
            await self._app(scope, receive, send)
            return
        verdict = self._limiter.count(client_of(scope, self._proxies))
        headers = self._headers(verdict)
        if not verdict.is_allowed:
            limit = f"{self._limiter.limit} requests in {WINDOW_SECONDS:.0f} s"
            detail = f"too many requests: a client may send {limit}; try again in {math.ceil(verdict.wait_seconds)} s"
            response = refusal(scope, HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", detail, headers)
            await response(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _headers(self, verdict: Verdict) -> dict[str, str]:
        """Return the headers of the IETF draft "RateLimit header fields for HTTP"."""
        wait = max(1, math.ceil(verdict.wait_seconds))
        headers = {
            "RateLimit-Policy": f'"default";q={self._limiter.limit};w={WINDOW_SECONDS:.0f}',
            "RateLimit": f'"default";r={verdict.remaining};t={wait}',
        }
        return headers if verdict.is_allowed else {**headers, "Retry-After": str(wait)}
