"""`/api/v1/stream/quotes`: new prices as server-sent events."""

import asyncio
import contextlib
from collections.abc import Collection
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from financehub_shared.views.formats import iso_time
from financehub_shared.views.quotes import QuoteView
from financehub_web.api.answers import require_type
from financehub_web.api.errors import ApiError
from financehub_web.api.parameters import Symbols
from financehub_web.api.problems import problem_response
from financehub_web.api.quote_feed import MOST_STREAMS, OVERLAP_SECONDS, QuoteFeed, Subscription
from financehub_web.api.routing import FleetOf, api_router
from financehub_web.api.symbols import require_symbols
from financehub_web.http.head import IS_HEAD
from financehub_web.reading.fleet import Fleet

router = api_router("prices")

EVENT_STREAM = "text/event-stream"
#: Time after which a client reconnects.
_RETRY = b"retry: 5000\n\n"
#: A comment, so that proxies do not close a quiet connection, and so that a dead client is noticed.
_ALIVE = b": alive\n\n"
ALIVE_SECONDS = 15.0
#: A client that does not read for this long is disconnected.
_WRITE_SECONDS = 30.0


class StreamQuery(BaseModel):
    """The parameters of the stream of quotes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbols: Symbols = Field([], description="Only these symbols, separated by commas.", examples=["BTC-USD,AAPL"])


@router.get(
    "/stream/quotes",
    response_class=Response,
    responses={
        200: {
            "description": "An endless stream. Each event `quote` has the keys of `/quotes`.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        }
    },
)
async def stream_quotes(request: Request, query: Annotated[StreamQuery, Parameters()], fleet: FleetOf) -> Response:
    """Send the current prices, and then each new price, as server-sent events.

    The id of an event is the time and the symbol of its price. A client that reconnects with `Last-Event-ID` gets what
    it missed, and may get a few prices again. A process serves at most 100 streams.
    """
    require_type(request, [EVENT_STREAM])
    symbols, views = await run_in_threadpool(_read, fleet, query.symbols)
    return EventStream(request.app.state.feed, symbols, views, request.headers.get("Last-Event-ID", ""))


def _read(fleet: Fleet, symbols: list[str]) -> tuple[Collection[str] | None, list[QuoteView]]:
    """Return the symbols of the stream, or None for all, and the current quotes."""
    wanted = frozenset(require_symbols(fleet, symbols)) if symbols else None
    return wanted, fleet.quote_views().required()


class EventStream(Response):
    """The response that sends events until the client or the process goes away.

    Args:
        feed: The source of the events.
        symbols: Symbols of the stream. None selects all.
        views: The current quotes.
        last_event_id: The id of the last event that the client got; empty if there is none.
    """

    media_type = EVENT_STREAM

    def __init__(
        self, feed: QuoteFeed, symbols: Collection[str] | None, views: list[QuoteView], last_event_id: str
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._feed = feed
        self._symbols = symbols
        self._views = views
        self._resume_at = _resume_time(last_event_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        subscription = self._feed.subscribe(self._symbols)
        if subscription is None:
            detail = f"this process ends, or it has {MOST_STREAMS} streams already; try again later"
            busy = ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "too-many-streams", detail, headers={"Retry-After": "30"})
            await problem_response(Request(scope), busy)(scope, receive, send)
            return
        tasks = []
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if not scope.get(IS_HEAD):
                tasks = [
                    asyncio.create_task(self._send_events(subscription, send)),
                    asyncio.create_task(_wait_for_disconnect(receive)),
                ]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            with contextlib.suppress(TimeoutError):
                await _write(send, b"", 1.0, is_last=True)
        finally:
            self._feed.unsubscribe(subscription)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_events(self, subscription: Subscription, send: Send) -> None:
        """Send the current quotes, and then what changes, until the feed is closed or the client stops reading."""
        known = [view for view in self._views if (view["fetched_at"] or "") < self._resume_at]
        missing = [view for view in self._views if (view["fetched_at"] or "") >= self._resume_at]
        subscription.skip(self._feed.encode(known))
        subscription.offer(self._feed.encode(missing))
        self._views = []
        with contextlib.suppress(TimeoutError):
            await _write(send, _RETRY)
            while not self._feed.is_closed:
                try:
                    await asyncio.wait_for(subscription.changed.wait(), ALIVE_SECONDS)
                except TimeoutError:
                    await _write(send, _ALIVE)
                    continue
                await _write(send, subscription.take())


async def _write(send: Send, content: bytes, seconds: float = _WRITE_SECONDS, *, is_last: bool = False) -> None:
    """Send a part of the body.

    Raises:
        TimeoutError: The client does not read.
    """
    message = {"type": "http.response.body", "body": content, "more_body": not is_last}
    await asyncio.wait_for(send(message), seconds)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _resume_time(last_event_id: str) -> str:
    """Return the time from which the client may lack quotes, in the format of views; empty for all quotes."""
    time, separator, _ = last_event_id.partition("Z-")
    try:
        moment = datetime.fromisoformat(f"{time}+00:00") if separator else None
    except ValueError:
        moment = None
    return "" if moment is None else iso_time(moment.timestamp() - OVERLAP_SECONDS) or ""
