"""`/api/v1/stream/quotes`: new prices as server-sent events."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Annotated

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from financehub_shared.views.quotes import QuoteView
from financehub_web.api.answers import require_type
from financehub_web.api.errors import ApiError
from financehub_web.api.parameters import Symbols
from financehub_web.api.problems import problem_response
from financehub_web.api.quote_feed import QuoteFeed, Subscription
from financehub_web.api.routing import FleetOf, api_router
from financehub_web.api.symbols import require_symbols
from financehub_web.http.clients import client_of
from financehub_web.http.head import IS_HEAD
from financehub_web.http.networks import read_networks
from financehub_web.reading.cache import Reading
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
            "description": "An endless stream. Events `quote` have the keys of `/quotes`, and `problem` has `detail`.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        }
    },
)
async def stream_quotes(request: Request, query: Annotated[StreamQuery, Parameters()], fleet: FleetOf) -> Response:
    """Send the current prices, and then each new price, as server-sent events.

    A client that reconnects with `Last-Event-ID` gets what has changed since that event, or all prices from a process
    that did not send it. While the prices cannot be read, the stream has one event `problem`, and `recovered` when they
    can. A process serves at most 100 streams, and 10 of one client.
    """
    require_type(request, [EVENT_STREAM])
    symbols, quotes = await run_in_threadpool(_read, fleet, query.symbols)
    client = client_of(request.scope, read_networks(fleet.settings))
    last_event_id = request.headers.get("Last-Event-ID", "")
    return EventStream(request.app.state.feed, symbols, quotes, client, last_event_id)


def _read(fleet: Fleet, symbols: list[str]) -> tuple[Collection[str] | None, Reading[list[QuoteView]]]:
    """Return the symbols of the stream, or None for all, and the current quotes."""
    wanted = frozenset(require_symbols(fleet, symbols)) if symbols else None
    quotes = fleet.quote_views()
    quotes.required()
    return wanted, quotes


class EventStream(Response):
    """The response that sends events until the client or the process goes away.

    Args:
        feed: The source of the events.
        symbols: Symbols of the stream. None selects all.
        quotes: The current quotes.
        client: Address of the client.
        last_event_id: The id of the last event that the client got; empty if there is none.
    """

    media_type = EVENT_STREAM

    def __init__(
        self,
        feed: QuoteFeed,
        symbols: Collection[str] | None,
        quotes: Reading[list[QuoteView]],
        client: str,
        last_event_id: str,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._feed = feed
        self._symbols = symbols
        self._quotes = quotes
        self._client = client
        self._last_event_id = last_event_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            subscription = self._feed.subscribe(self._symbols, self._client)
        except ApiError as refusal:
            await problem_response(Request(scope), refusal)(scope, receive, send)
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
        last = self._feed.last_number(self._last_event_id)
        events = self._feed.events(self._quotes)
        subscription.skip(event for event in events if event.number <= last)
        subscription.offer(events)
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
