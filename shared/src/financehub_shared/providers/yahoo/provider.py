"""Yahoo Finance: quotes of stocks, funds and currencies in batches, and daily bars of one symbol per request.

Source: yfinance 1.7 (`YfData.get`), which handles Yahoo's cookies and crumbs. It blocks, so it runs in threads. Its
import takes 0.5 s and 65 MB, so the first request imports it.
"""

import asyncio
import os
import threading
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from financehub_shared.core.chunks import chunks
from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import NotFoundError, ProviderError, ProviderTimeoutError
from financehub_shared.core.models import Asset, BarAnswer, Bars, Quote
from financehub_shared.core.settings import Settings
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.yahoo.chart import read_chart
from financehub_shared.providers.yahoo.parse import NoDataInRangeError, own_symbol
from financehub_shared.providers.yahoo.quotes import FIELDS, read_quotes

if TYPE_CHECKING:
    from financehub_shared.providers.yahoo.session import YahooClient

T = TypeVar("T")

QUOTE_URL = "https://query1.finance.yahoo.com/v7/finance/quote"
CHART_URL = "https://query1.finance.yahoo.com/v8/finance/chart/"
#: Symbols per request. Yahoo leaves additional symbols out of its response.
BATCH_MAX = 99
#: Number of threads, each with its own connection. `bar_fetcher.CONCURRENCY` has the same value.
THREADS = 16


@dataclass(frozen=True, slots=True)
class YahooLimits:
    """Limits of one request.

    Args:
        connect_seconds: Seconds to connect.
        read_seconds: Seconds for the whole request.
        max_bytes: Largest decompressed body.
    """

    connect_seconds: float
    read_seconds: float
    max_bytes: int


def build(context: ProviderContext) -> "Yahoo":
    """Build the provider."""
    settings = context.settings
    limits = YahooLimits(settings.connect_timeout_seconds, settings.read_timeout_seconds, settings.max_response_bytes)
    return Yahoo(context.guard, context.base_url or None, limits, context.clock, context.name, context.http.egress)


class Yahoo:
    """Delivers quotes and daily bars.

    Prices are adjusted for splits and not for dividends. The first request of a process sends two further requests, for
    the cookie and the crumb. If Yahoo refuses the crumb, it is renewed and the request is sent once more.

    Args:
        guard: Budget and breaker of this upstream.
        base_url: Replaces Yahoo's scheme and host, for the simulator. If it is None, Yahoo itself is called.
        limits: Limits of one request.
        clock: Clock for fetch times, days and deadlines.
        name: Name of this provider in records.
        egress: The proxies and the certificate authorities. It defaults to those of the environment.
    """

    def __init__(
        self,
        guard: UpstreamGuard,
        base_url: str | None,
        limits: YahooLimits,
        clock: Clock,
        name: str = "yahoo",
        egress: Egress | None = None,
    ) -> None:
        self.name = name
        self._guard = guard
        self._base_url = base_url
        self._limits = limits
        self._clock = clock
        self._egress = egress or Egress.from_environment(Settings(), os.environ)
        self._lock = threading.Lock()
        self._client: YahooClient | None = None
        self._threads: ThreadPoolExecutor | None = None

    def serves(self, asset: Asset) -> bool:
        return own_symbol(asset) is not None

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """Send one request per 99 assets, in parallel; see `QuoteProvider`."""
        groups = list(chunks(assets, BATCH_MAX))
        batches = await asyncio.gather(*(self._fetch_group(group, deadline) for group in groups))
        errors = [batch for batch in batches if isinstance(batch, ProviderError)]
        if errors and len(errors) == len(batches):
            raise errors[0]
        quotes: dict[str, Quote] = {}
        missing: dict[str, ProviderError] = {}
        for group, batch in zip(groups, batches, strict=True):
            if isinstance(batch, ProviderError):
                missing.update({asset.symbol: batch for asset in group})
            else:
                quotes.update(batch.quotes)
                missing.update(batch.missing)
        return QuoteBatch(quotes, missing)

    async def _fetch_group(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch | ProviderError:
        symbols = ",".join(dict.fromkeys(own_symbol(asset) or asset.symbol for asset in assets))
        params = {"symbols": symbols, "formatted": "false", "fields": FIELDS}

        def read(body: bytes) -> QuoteBatch:
            return read_quotes(self.name, assets, body, self._clock.now())

        try:
            return await self._get(QUOTE_URL, params, deadline, read)
        except ProviderError as error:
            return error

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> BarAnswer:
        """Send one request; see `BarProvider`."""
        symbol = own_symbol(asset)
        if symbol is None:
            raise NotFoundError(self.name, f"{asset.symbol}: set `yahoo` under the providers of the asset")
        now = self._clock.now()
        params = {
            # East of Greenwich, a day begins on the previous day in UTC.
            "period1": str((first_day - 1) * DAY_SECONDS),
            "period2": str(int(now) + DAY_SECONDS),
            "interval": "1d",
            "includePrePost": "false",
            "events": "div,splits",
        }

        def read(body: bytes) -> BarAnswer:
            return read_chart(self.name, asset, body, first_day, now)

        try:
            return await self._get(CHART_URL + quote(symbol, safe=""), params, deadline, read)
        except NoDataInRangeError:
            return BarAnswer(Bars(asset.symbol, self.name, array("i"), *(array("d") for _ in range(5))))

    async def _get(self, url: str, params: Mapping[str, str], deadline: float, read: Callable[[bytes], T]) -> T:
        """Send one guarded request and parse the response in the same thread.

        Parsing is part of the guarded call, so that a malformed response counts as a failure.
        """

        async def send() -> T:
            remaining = deadline - self._clock.monotonic()
            try:
                async with asyncio.timeout(remaining):
                    return await self._in_thread(lambda: read(self._connected_client().get(url, params, deadline)))
            except TimeoutError:
                # curl's timeout ends the thread. This ends the wait for a free thread or for another thread's crumb.
                raise ProviderTimeoutError(self.name, f"no answer within {remaining:.1f} s") from None

        return await self._guard.call(send)

    def _in_thread(self, work: Callable[[], T]) -> Awaitable[T]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="yahoo")
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _connected_client(self) -> "YahooClient":
        with self._lock:
            if self._client is None:
                from financehub_shared.providers.yahoo.session import YahooClient, YahooSession

                limits = self._limits
                timeouts = (limits.connect_seconds, limits.read_seconds)
                session = YahooSession(self.name, self._base_url, timeouts, limits.max_bytes, self._clock, self._egress)
                self._client = YahooClient(session, self.name)
            return self._client

    async def aclose(self) -> None:
        """Close the connections. Threads that are still waiting end at their timeouts."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()
        self._threads = self._client = None
