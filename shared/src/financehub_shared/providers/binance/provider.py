"""Binance spot market data: quotes and daily bars of crypto pairs.

Source: https://github.com/binance/binance-spot-api-docs (rest-api: market data endpoints, errors).
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import NotFoundError, ProviderError, UpstreamError
from financehub_shared.core.kinds import KINDS
from financehub_shared.core.models import Asset, BarAnswer
from financehub_shared.providers.bar_rows import BarRows
from financehub_shared.providers.binance.klines import DAY_MS, add_klines
from financehub_shared.providers.binance.quotes import is_converted, read_quotes
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse, strict_json
from financehub_shared.providers.transport.http import HttpClient
from financehub_shared.providers.usd import UsdtRates

#: Code of `-1121 Invalid symbol`. One unknown pair makes Binance refuse the whole request.
INVALID_SYMBOL = -1121
#: A request for more pairs than this costs as much as one for all pairs, whose URL is short.
BATCH_MAX = 100
#: Header with the used weight. Binance counts per IP address, which other programs may share.
USED_WEIGHT = "x-mbx-used-weight-1m"
KLINES_MAX = 1_000
KLINES_WEIGHT = 2
_PAIR = re.compile(r"[A-Z0-9]{2,20}")


def ticker_weight(pairs: int) -> int:
    """Return the weight that `/api/v3/ticker/24hr` charges for this many pairs. 0 means all pairs."""
    if pairs == 0 or pairs > BATCH_MAX:
        return 80
    return 2 if pairs <= 20 else 40


def build(context: ProviderContext) -> "Binance":
    """Build the provider, which takes the USDT rate from Kraken, or from CoinGecko if Kraken fails."""
    kraken, coingecko = context.provider("kraken"), context.provider("coingecko")
    rates = UsdtRates([kraken, coingecko], kraken, context.clock)
    return Binance(context.http, context.guard, context.base_url, rates, context.clock, context.name)


class Binance:
    """Delivers quotes and daily bars.

    Binance does not have USD pairs, so `BTC-USD` is read from `BTCUSDT` and converted with `rates`.

    Args:
        http: Sends the requests.
        guard: Budget and breaker of this upstream.
        base_url: Base URL of the API.
        rates: Rates in USD per USDT.
        clock: Clock for fetch times and days.
        name: Name of this provider in records.
    """

    def __init__(
        self,
        http: HttpClient,
        guard: UpstreamGuard,
        base_url: str,
        rates: UsdtRates,
        clock: Clock,
        name: str = "binance",
    ) -> None:
        self.name = name
        self._http = http
        self._guard = guard
        self._base = base_url.rstrip("/")
        self._rates = rates
        self._clock = clock

    def serves(self, asset: Asset) -> bool:
        return "binance" in KINDS[asset.kind].providers and _pair(asset) is not None

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """Send one request, or two if a pair is unknown; see `QuoteProvider`."""
        pairs = [(asset, pair) for asset in assets if (pair := _pair(asset)) is not None]
        in_usdt = any(is_converted(pair, asset) for asset, pair in pairs)
        tickers, rate = await asyncio.gather(
            self._tickers(list(dict.fromkeys(pair for _, pair in pairs)), deadline),
            self._rates.spot(deadline) if in_usdt else asyncio.sleep(0, None),
            return_exceptions=True,
        )
        if isinstance(tickers, BaseException):
            raise tickers
        if isinstance(rate, BaseException) and not isinstance(rate, ProviderError):
            raise rate
        batch = read_quotes(self.name, pairs, tickers, rate, self._clock.now())
        if isinstance(rate, ProviderError) and not batch.quotes:
            raise rate
        return batch

    async def _tickers(self, pairs: Sequence[str], deadline: float) -> list[Any]:
        rows = await self._get_tickers(pairs if len(pairs) <= BATCH_MAX else (), deadline)
        if rows is None:
            # One response with all existing pairs identifies every unknown one. Splitting would take many requests.
            rows = await self._get_tickers((), deadline)
        return rows or []

    async def _get_tickers(self, pairs: Sequence[str], deadline: float) -> list[Any] | None:
        """Fetch the tickers of `pairs`, or all tickers if it is empty. Return None if a pair is unknown."""
        params = {"symbols": json.dumps(list(pairs), separators=(",", ":"))} if pairs else None
        try:
            return await self._list("/api/v3/ticker/24hr", params, deadline, ticker_weight(len(pairs)), elements="")
        except NotFoundError:
            if not pairs:
                raise
            return None

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> BarAnswer:
        """Send one request per 1,000 days; see `BarProvider`.

        Days before the first rate of USDT are left out, because a bar in USDT would be mistaken for one in USD.
        """
        pair = _pair(asset)
        if pair is None:
            raise NotFoundError(self.name, f"{asset.symbol} is not traded here")
        last_day = int(self._clock.now() // DAY_SECONDS) - 1
        rates = await self._rates.daily(last_day, deadline) if is_converted(pair, asset) else None
        rows = BarRows(self.name)
        day = first_day
        while day <= last_day:
            params = {
                "symbol": pair,
                "interval": "1d",
                "startTime": str(day * DAY_MS),
                "endTime": str((last_day + 1) * DAY_MS - 1),
                "limit": str(KLINES_MAX),
            }
            klines = await self._list("/api/v3/klines", params, deadline, KLINES_WEIGHT, figures=True)
            newest = add_klines(rows, klines)
            if len(klines) < KLINES_MAX or newest is None or newest < day:
                break
            day = newest + 1
        factors = None
        if rates is not None:
            factors = rates.of_days(rows.days)
        bars = rows.bars(asset.symbol, first_day, last_day + 1, factors)
        return BarAnswer(bars, problems=tuple(rows.problems))

    async def _list(
        self,
        path: str,
        params: Mapping[str, str] | None,
        deadline: float,
        weight: int,
        *,
        elements: str | None = None,
        figures: bool = False,
    ) -> list[Any]:
        def read(body: bytes) -> Any:
            if figures:
                return strict_json.load_figures(self.name, body)
            return strict_json.loads(self.name, body, elements)

        async def send() -> list[Any]:
            # The shape is checked inside the guard, so that the breaker counts an unexpected one as a failure.
            return parse.sequence(self.name, await self._get(path, params, deadline, read), path)

        return await self._guard.call(send, weight)

    async def _get(
        self, path: str, params: Mapping[str, str] | None, deadline: float, read: Callable[[bytes], Any]
    ) -> Any:
        response = await self._http.get(
            self.name, self._base + path, params=params, deadline=deadline, handled=frozenset({400})
        )
        used = response.headers.get(USED_WEIGHT, "")
        if used.isdigit():
            await self._guard.correct(int(used[:9]))
        body = read(response.body)
        if response.status == 400:
            code = parse.mapping(self.name, body, "the error").get("code")
            if code == INVALID_SYMBOL:
                raise NotFoundError(self.name, "Binance does not list the pair")
            raise UpstreamError(self.name, f"{path}: HTTP 400 with the code {parse.describe(code)}")
        return body


def _pair(asset: Asset) -> str | None:
    """Return Binance's pair (`BTC-USD` → `BTCUSDT`, `BTC-EUR` → `BTCEUR`), or None if Binance cannot list the asset."""
    pair = asset.provider_symbols.get("binance", "").upper()
    if not pair:
        base, _, quote = asset.symbol.rpartition("-")
        pair = base + ("USDT" if quote == "USD" else quote)
        if base == "USDT" or not base:
            return None
    return pair if _PAIR.fullmatch(pair) else None
