"""Yahoo Finance: quotes of stocks, funds and currencies in batches, daily bars of one symbol a request.

Source: yfinance 1.7 (`YfData.get`), which alone knows Yahoo's cookies and crumbs. It blocks, so it runs in threads; it
takes 0.5 s and 65 MB to import, so the first request does that.
"""

import asyncio
import threading
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import NotFoundError, ProviderError, ProviderTimeoutError
from financehub_shared.core.models import Asset, Bars, Quote
from financehub_shared.providers.guard import Guard
from financehub_shared.providers.ports import QuoteBatch
from financehub_shared.providers.yahoo.parse import (
    Chart,
    NoDataInRangeError,
    own_symbol,
    quote_rows,
    read_chart,
    read_quote,
)

if TYPE_CHECKING:
    from financehub_shared.providers.yahoo.session import YahooClient

log = structlog.get_logger(__name__)

T = TypeVar("T")

QUOTE_URL = "https://query1.finance.yahoo.com/v7/finance/quote"
CHART_URL = "https://query1.finance.yahoo.com/v8/finance/chart/"
#: Yahoo cuts off what lies beyond.
BATCH_MAX = 99
#: Without it an answer has 80 fields a symbol.
FIELDS = "currency,regularMarketPrice,regularMarketTime,regularMarketChangePercent,regularMarketVolume"
#: As many as `bars.CONCURRENCY`, each with a connection of its own.
THREADS = 16
DAY_SECONDS = 86_400
#: A fetch that goes further back than this is a first one: no stored bars have to be brought to a new scale.
INCREMENT_DAYS_MAX = 180
#: After a split everything that can be stored is asked for again (longest useful retention: three years and a bit).
RESTATED_DAYS = 1_200


@dataclass(frozen=True, slots=True)
class YahooLimits:
    """Bounds of one request.

    Args:
        connect_seconds: to connect.
        read_seconds: for the whole request.
        max_bytes: largest body, decompressed.
    """

    connect_seconds: float
    read_seconds: float
    max_bytes: int


class Yahoo:
    """Quotes and daily bars.

    Prices are adjusted for splits, not for dividends. The first request of a process makes two more, for cookie and
    crumb; a refused crumb is replaced and the request repeated once.

    Args:
        guard: budget and breaker of this upstream.
        base_url: replaces Yahoo's scheme and host (the simulator); None: Yahoo, through the environment's proxy.
        limits: of one request.
        clock: for fetch times, days and deadlines.
        name: how records name this provider.
    """

    def __init__(
        self, guard: Guard, base_url: str | None, limits: YahooLimits, clock: Clock, name: str = "yahoo"
    ) -> None:
        self.name = name
        self._guard = guard
        self._base_url = base_url
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._client: YahooClient | None = None
        self._threads: ThreadPoolExecutor | None = None

    def serves(self, asset: Asset) -> bool:
        return own_symbol(asset) is not None

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """One request per 99 assets, in parallel; see `QuoteProvider`."""
        chunks = [assets[start : start + BATCH_MAX] for start in range(0, len(assets), BATCH_MAX)]
        batches = await asyncio.gather(*(self._fetch_chunk(chunk, deadline) for chunk in chunks))
        errors = [batch for batch in batches if isinstance(batch, ProviderError)]
        if errors and len(errors) == len(batches):
            raise errors[0]
        quotes: dict[str, Quote] = {}
        missing: dict[str, ProviderError] = {}
        for chunk, batch in zip(chunks, batches, strict=True):
            if isinstance(batch, ProviderError):
                missing.update({asset.symbol: batch for asset in chunk})
            else:
                quotes.update(batch.quotes)
                missing.update(batch.missing)
        return QuoteBatch(quotes, missing)

    async def _fetch_chunk(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch | ProviderError:
        symbols = {asset.symbol: own_symbol(asset) or asset.symbol for asset in assets}
        params = {"symbols": ",".join(symbols.values()), "formatted": "false", "fields": FIELDS}
        try:
            rows = await self._ask(QUOTE_URL, params, deadline, lambda body: quote_rows(self.name, body))
        except ProviderError as error:
            return error
        quotes: dict[str, Quote] = {}
        missing: dict[str, ProviderError] = {}
        for asset in assets:
            try:
                row = rows.get(symbols[asset.symbol])
                quotes[asset.symbol] = read_quote(self.name, asset, row, self._clock.now())
            except ProviderError as error:
                missing[asset.symbol] = error
        return QuoteBatch(quotes, missing)

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> Bars:
        """One request; a second one when a split changed the scale of bars before `first_day`, which are returned too.

        See `BarProvider`.
        """
        chart = await self._chart(asset, first_day, deadline)
        today = int(self._clock.now() // DAY_SECONDS)
        if chart.split and today - first_day <= INCREMENT_DAYS_MAX:
            chart = await self._chart(asset, today - RESTATED_DAYS, deadline)
        if chart.mended:
            log.warning("bars_mended", provider=self.name, symbol=asset.symbol, what=chart.mended)
        return chart.bars

    async def _chart(self, asset: Asset, first_day: int, deadline: float) -> Chart:
        symbol = own_symbol(asset)
        if symbol is None:
            raise NotFoundError(self.name, f"{asset.symbol}: state its Yahoo symbol under provider symbols")
        now = self._clock.now()
        params = {
            # East of Greenwich a day begins on the UTC day before.
            "period1": str((first_day - 1) * DAY_SECONDS),
            "period2": str(int(now) + DAY_SECONDS),
            "interval": "1d",
            "includePrePost": "false",
            "events": "div,splits",
        }

        def read(body: bytes) -> Chart:
            return read_chart(self.name, asset, body, first_day, now)

        try:
            return await self._ask(CHART_URL + symbol, params, deadline, read)
        except NoDataInRangeError:
            return Chart(Bars(asset.symbol, self.name, array("i"), *(array("d") for _ in range(5))))

    async def _ask(self, url: str, params: Mapping[str, str], deadline: float, read: Callable[[bytes], T]) -> T:
        """One guarded request; the answer is read in its thread too, so that what is malformed counts as a failure."""

        async def send() -> T:
            left = deadline - self._clock.monotonic()
            try:
                async with asyncio.timeout(left):
                    return await self._in_thread(lambda: read(self._connected().get(url, params, deadline)))
            except TimeoutError:
                # The thread ends by curl's own timeout; this ends the wait for a thread or for another's crumb.
                raise ProviderTimeoutError(self.name, f"no answer within {left:.1f} s") from None

        return await self._guard.call(send)

    def _in_thread(self, work: Callable[[], T]) -> Awaitable[T]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="yahoo")
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _connected(self) -> "YahooClient":
        with self._lock:
            if self._client is None:
                from financehub_shared.providers.yahoo.session import YahooClient, YahooSession

                limits = self._limits
                timeouts = (limits.connect_seconds, limits.read_seconds)
                session = YahooSession(self.name, self._base_url, timeouts, limits.max_bytes, self._clock)
                self._client = YahooClient(session, self.name)
            return self._client

    async def aclose(self) -> None:
        """Close the connections; threads that still wait end by their timeouts."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()
        self._threads = self._client = None
