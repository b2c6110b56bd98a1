"""Reads the quotes once a second for all event streams, and gives each stream what has changed."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.text import dump_json
from financehub_shared.views.quotes import QuoteView
from financehub_web.api.errors import ApiError
from financehub_web.reading.cache import Reading
from financehub_web.reading.fleet import Fleet

log = structlog.get_logger(__name__)

#: Number of streams of one process. Each holds a connection and up to one event per asset.
MOST_STREAMS = 100
#: Number of streams of one client, so that it leaves some for others.
MOST_OF_CLIENT = 10
POLL_SECONDS = 1.0
_RECOVERED = b"event: recovered\ndata: {}\n\n"


@dataclass(frozen=True, slots=True)
class QuoteEvent:
    """One quote as an event.

    Args:
        symbol: The symbol.
        number: Number of the change. A later change of any quote has a larger one.
        mark: Equal for two events if nothing has changed but the age.
        content: The encoded event.
    """

    symbol: str
    number: int
    mark: tuple[Any, ...]
    content: bytes


@dataclass(slots=True, eq=False)
class Subscription:
    """The events that one stream has to send. A slow client gets only the newest one of each symbol.

    Args:
        symbols: Symbols of the stream. None selects all.
        client: Address of the client.
        problem: Why the quotes cannot be read now. Empty if they can.
    """

    symbols: Collection[str] | None
    client: str = ""
    problem: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _pending: dict[str, bytes] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _knows_problem: bool = False

    def offer(self, events: Iterable[QuoteEvent]) -> None:
        """Add the events that the stream wants and has not got yet.

        Args:
            events: Events in the order of their numbers.
        """
        for event in events:
            if self.symbols is not None and event.symbol not in self.symbols:
                continue
            if self._numbers.get(event.symbol, 0) < event.number:
                self._numbers[event.symbol] = event.number
                self._pending.pop(event.symbol, None)
                self._pending[event.symbol] = event.content
        if self._pending:
            self.changed.set()

    def skip(self, events: Iterable[QuoteEvent]) -> None:
        """Note events that the client already has."""
        self._numbers.update((event.symbol, event.number) for event in events)

    def report(self, problem: str) -> None:
        """Note why the quotes cannot be read now, or that they can (an empty text)."""
        self.problem = problem
        self.changed.set()

    def take(self) -> bytes:
        """Return the pending events in the order of their numbers, and forget them.

        An event `problem` comes behind the quotes from before it, and an event `recovered` before the new ones.
        """
        content = b"".join(self._pending.values())
        self._pending.clear()
        self.changed.clear()
        if self.problem and not self._knows_problem:
            content += f"event: problem\ndata: {dump_json({'detail': self.problem})}\n\n".encode()
        elif not self.problem and self._knows_problem:
            content = _RECOVERED + content
        self._knows_problem = bool(self.problem)
        return content


class QuoteFeed:
    """The source of all event streams. Its methods belong to the event loop.

    Args:
        fleet: Reads the quotes.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._subscriptions: set[Subscription] = set()
        self._needed = asyncio.Event()
        #: Numbers are compared only within one process, and this text names it.
        self._process = secrets.token_hex(6)
        self._number = 0
        self._version = 0
        #: Symbol → its newest event, in the order of the numbers.
        self._events: dict[str, QuoteEvent] = {}
        self._problem = ""
        #: Whether the process ends, so that streams have to end.
        self.is_closed = False

    def subscribe(self, symbols: Collection[str] | None, client: str) -> Subscription:
        """Add a stream.

        Args:
            symbols: Symbols of the stream. None selects all.
            client: Address of the client.

        Raises:
            ApiError: There are too many streams, or the process ends.
        """
        if self.is_closed or len(self._subscriptions) >= MOST_STREAMS:
            detail = f"this process ends, or it has {MOST_STREAMS} streams already; try again later"
            raise _refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        if Counter(each.client for each in self._subscriptions)[client] >= MOST_OF_CLIENT:
            detail = f"this client has {MOST_OF_CLIENT} streams already; close one, or use one stream for all symbols"
            raise _refusal(HTTPStatus.TOO_MANY_REQUESTS, detail)
        subscription = Subscription(symbols, client, self._problem)
        self._subscriptions.add(subscription)
        self._needed.set()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a stream."""
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End all streams."""
        self.is_closed = True
        for subscription in self._subscriptions:
            subscription.changed.set()

    async def run(self) -> None:
        """Read the quotes as long as there are streams, until the task is cancelled."""
        version = 0
        while True:
            if not self._subscriptions:
                self._problem = ""
                self._needed.clear()
                await self._needed.wait()
            try:
                reading = await run_in_threadpool(self._fleet.quote_views)
                self._report(reading.problem)
                if reading.version != version and not reading.problem:
                    version = reading.version
                    self._publish(reading)
            except StoreUnavailableError as error:
                self._report(str(error))  # the readings log it
            except Exception:
                # Without this task, all streams would stop silently.
                log.exception("quote_feed_failed")
                self._report("the quotes cannot be read; the log of the web process has the reason")
            await asyncio.sleep(POLL_SECONDS)

    def events(self, reading: Reading[list[QuoteView]]) -> list[QuoteEvent]:
        """Return the events of all quotes in the order of their numbers. Streams share them.

        Args:
            reading: The quotes. They are ignored if later ones are known already.
        """
        if reading.version > self._version:
            self._version = reading.version
            known = self._events
            views = sorted(reading.value, key=lambda view: (view["fetched_at"] or "", view["symbol"]))
            events = [self._event(view, known.get(view["symbol"])) for view in views]
            self._events = {event.symbol: event for event in sorted(events, key=lambda event: event.number)}
        return list(self._events.values())

    def last_number(self, last_event_id: str) -> int:
        """Return the number of the last change that a client got; 0 if it is not known.

        Args:
            last_event_id: The id of the last event that the client got. It may be from another process.
        """
        process, _, number = last_event_id.partition("-")
        is_known = process == self._process and number.isascii() and number.isdigit() and len(number) < 20
        return int(number) if is_known else 0

    def _event(self, view: QuoteView, known: QuoteEvent | None) -> QuoteEvent:
        """Return the event of a quote, which is the known one if nothing has changed."""
        mark = tuple(value for name, value in view.items() if name != "age_seconds")
        if known is not None and known.mark == mark:
            return known
        self._number += 1
        id = f"{self._process}-{self._number}"
        # HTML standard, server-sent events. JSON has no line breaks.
        content = f"id: {id}\nevent: quote\ndata: {dump_json(view)}\n\n".encode()
        return QuoteEvent(view["symbol"], self._number, mark, content)

    def _publish(self, reading: Reading[list[QuoteView]]) -> None:
        events = self.events(reading)
        for subscription in self._subscriptions:
            subscription.offer(events)

    def _report(self, problem: str) -> None:
        """Tell all streams that an outage has begun or ended."""
        if bool(problem) != bool(self._problem):
            for subscription in self._subscriptions:
                subscription.report(problem)
        self._problem = problem


def _refusal(status: HTTPStatus, detail: str) -> ApiError:
    return ApiError(status, "too-many-streams", detail, headers={"Retry-After": "30"})
