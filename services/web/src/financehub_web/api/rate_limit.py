"""Limits the requests of each client to the API, so that none of them slows the others down."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from financehub_web.access.users import Network
from financehub_web.api.errors import ApiError
from financehub_web.api.problems import problem_response
from financehub_web.http.clients import client_of

#: The rate is an average over this time, so a client may send some requests at once.
WINDOW_SECONDS = 10.0
#: Number of clients that are remembered. If there are more, the one that was silent for longest is forgotten.
MOST_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the limiter says about one request.

    Args:
        is_allowed: Whether the request may be handled.
        remaining: Number of further requests that the client may send now.
        wait_seconds: Time until it may send the next one, if it may not now; otherwise until all are available again.
    """

    is_allowed: bool
    remaining: int
    wait_seconds: float


class RateLimiter:
    """A token bucket for each client, as the generic cell rate algorithm of ITU-T I.371 keeps it: one time per client.

    Args:
        per_second: Requests per second, on average over `WINDOW_SECONDS`.
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(self, per_second: float, monotonic: Callable[[], float]) -> None:
        self.limit = max(1, round(per_second * WINDOW_SECONDS))
        self._interval = WINDOW_SECONDS / self.limit
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: Client → time at which all of its requests are available again.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def count(self, client: str) -> Verdict:
        """Count a request of a client, unless it is refused."""
        now = self._monotonic()
        with self._lock:
            full_at = max(self._full_at.get(client, now), now)
            next_full_at = full_at + self._interval
            wait = next_full_at - now - WINDOW_SECONDS
            if wait > 1e-9:
                return Verdict(is_allowed=False, remaining=0, wait_seconds=wait)
            self._full_at[client] = next_full_at
            self._full_at.move_to_end(client)
            if len(self._full_at) > MOST_CLIENTS:
                self._full_at.popitem(last=False)
        remaining = int((WINDOW_SECONDS - (next_full_at - now)) / self._interval + 1e-9)
        return Verdict(is_allowed=True, remaining=remaining, wait_seconds=next_full_at - now)


class RateLimit:
    """ASGI middleware that answers 429 to a client that sends too many requests to the API.

    Args:
        app: The application behind it.
        limiter: Counts the requests.
        proxies: Networks of proxies that name the client of a request.
        prefix: Beginning of the paths that are limited.
        exempt: A path below it that is not limited, because monitoring needs it.
    """

    def __init__(
        self, app: ASGIApp, limiter: RateLimiter, proxies: Sequence[Network], prefix: str, exempt: str
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._proxies = proxies
        self._prefix = prefix
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not path.startswith(self._prefix) or path.startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        verdict = self._limiter.count(client_of(scope, self._proxies))
        headers = self._headers(verdict)
        if not verdict.is_allowed:
            limit = f"{self._limiter.limit} requests in {WINDOW_SECONDS:.0f} s"
            detail = f"too many requests: a client may send {limit}; try again in {math.ceil(verdict.wait_seconds)} s"
            error = ApiError(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", detail, headers=headers)
            await problem_response(Request(scope), error)(scope, receive, send)
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
