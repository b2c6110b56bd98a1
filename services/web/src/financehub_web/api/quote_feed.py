"""Reads the quotes once a second for all event streams, and gives each stream what has changed."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.text import dump_json, printable
from financehub_shared.views.quotes import QuoteView
from financehub_web.reading.fleet import Fleet

log = structlog.get_logger(__name__)

#: Number of streams of one process. Each holds a connection and up to one event per asset.
MOST_STREAMS = 100
POLL_SECONDS = 1.0
#: After a reconnection, quotes that were fetched up to this time before the last event are sent again, because a quote
#: may be stored after another one that was fetched later. It is longer than a fetch takes.
OVERLAP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class QuoteEvent:
    """One quote as an event.

    Args:
        symbol: The symbol.
        mark: Equal for two events if nothing has changed but the age.
        content: The encoded event.
    """

    symbol: str
    mark: tuple[Any, ...]
    content: bytes


@dataclass(slots=True, eq=False)
class Subscription:
    """The events that one stream has to send. A slow client gets only the newest one of each symbol.

    Args:
        symbols: Symbols of the stream. None selects all.
    """

    symbols: Collection[str] | None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _pending: dict[str, bytes] = field(default_factory=dict)
    _marks: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def offer(self, events: Iterable[QuoteEvent]) -> None:
        """Add the events that the stream wants and has not got yet."""
        for event in events:
            if self.symbols is not None and event.symbol not in self.symbols:
                continue
            if self._marks.get(event.symbol) != event.mark:
                self._marks[event.symbol] = event.mark
                self._pending.pop(event.symbol, None)
                self._pending[event.symbol] = event.content
        if self._pending:
            self.changed.set()

    def skip(self, events: Iterable[QuoteEvent]) -> None:
        """Note events that the client already has."""
        self._marks.update((event.symbol, event.mark) for event in events)

    def take(self) -> bytes:
        """Return the pending events, oldest first, and forget them."""
        content = b"".join(self._pending.values())
        self._pending.clear()
        self.changed.clear()
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
        self._encoded: dict[str, QuoteEvent] = {}
        #: Whether the process ends, so that streams have to end.
        self.is_closed = False

    def subscribe(self, symbols: Collection[str] | None) -> Subscription | None:
        """Add a stream, or return None if there are too many of them or the process ends."""
        if self.is_closed or len(self._subscriptions) >= MOST_STREAMS:
            return None
        subscription = Subscription(symbols)
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
                self._needed.clear()
                await self._needed.wait()
            try:
                reading = await run_in_threadpool(self._fleet.quote_views)
                if reading.version != version and not reading.problem:
                    version = reading.version
                    self._publish(reading.value)
            except StoreUnavailableError:
                pass  # the readings log an outage, and the streams go on when Redis answers again
            except Exception:
                # Without this task, all streams would stop silently.
                log.exception("quote_feed_failed")
            await asyncio.sleep(POLL_SECONDS)

    def encode(self, views: Iterable[QuoteView]) -> list[QuoteEvent]:
        """Return the events of quotes in the order in which they were fetched. Streams share them."""
        events = []
        for view in sorted(views, key=lambda view: (view["fetched_at"] or "", view["symbol"])):
            mark = tuple(value for name, value in view.items() if name != "age_seconds")
            known = self._encoded.get(view["symbol"])
            if known is None or known.mark != mark:
                known = self._encoded[view["symbol"]] = QuoteEvent(view["symbol"], mark, _content(view))
            events.append(known)
        return events

    def _publish(self, views: Collection[QuoteView]) -> None:
        events = self.encode(views)
        self._encoded = {event.symbol: event for event in events}
        for subscription in self._subscriptions:
            subscription.offer(events)


def _content(view: QuoteView) -> bytes:
    """Return a quote as an event (HTML standard, server-sent events). JSON has no line breaks."""
    return f"id: {event_id(view)}\nevent: quote\ndata: {dump_json(view)}\n\n".encode()


def event_id(view: QuoteView) -> str:
    """Return the id of the event of a quote: its time and its symbol."""
    return f"{view['fetched_at'] or ''}-{printable(view['symbol'])}"
