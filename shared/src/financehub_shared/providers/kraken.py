"""Kraken spot: quotes and daily bars of coins in USD, and the USDT rate in USD.

Source: https://docs.kraken.com/api/docs/rest-api/get-ticker-information, get-ohlc-data, guides/spot-errors.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError, RateLimitedError, UpstreamError
from financehub_shared.core.kinds import KINDS, AssetType
from financehub_shared.core.models import Asset, BarAnswer
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.kraken_candles import read_candles
from financehub_shared.providers.kraken_names import keys_of, pair_of
from financehub_shared.providers.kraken_quotes import read_quote, read_quotes
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse, strict_json
from financehub_shared.providers.transport.http import HttpClient

#: More pairs than this would make the URL long. Without a list, Kraken returns all of its pairs.
BATCH_MAX = 100
USDT = Asset("USDT-USD", AssetType.CRYPTO)


def build(context: ProviderContext) -> "Kraken":
    """Build the provider."""
    return Kraken(context.http, context.guard, context.base_url, context.clock, context.name)


class Kraken:
    """Delivers quotes and daily bars.

    Args:
        http: Sends the requests.
        guard: Budget and breaker of this upstream.
        base_url: Base URL of the API.
        clock: Clock for fetch times.
        name: Name of this provider in records.
    """

    def __init__(
        self, http: HttpClient, guard: UpstreamGuard, base_url: str, clock: Clock, name: str = "kraken"
    ) -> None:
        self.name = name
        self._http = http
        self._guard = guard
        self._base = base_url.rstrip("/")
        self._clock = clock

    def serves(self, asset: Asset) -> bool:
        return "kraken" in KINDS[asset.kind].providers and pair_of(asset) is not None

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """Send one request, or two if a pair is unknown; see `QuoteProvider`."""
        pairs = [(asset, pair) for asset in assets if (pair := pair_of(asset)) is not None]
        tickers = await self._tickers(list(dict.fromkeys(pair for _, pair in pairs)), deadline)
        return read_quotes(self.name, pairs, tickers, self._clock.now())

    async def _tickers(self, pairs: Sequence[str], deadline: float) -> Mapping[str, Any]:
        if len(pairs) <= BATCH_MAX:
            try:
                return await self._get("/0/public/Ticker", {"pair": ",".join(pairs)}, deadline, elements="result")
            except NotFoundError:
                pass  # Kraken refuses the whole request if one pair is unknown
        return await self._get("/0/public/Ticker", {}, deadline, elements="result")

    async def usdt_rate(self, deadline: float) -> Decimal:
        """Fetch the current rate in USD per USDT; see `usd.RateSource`."""
        tickers = await self._get("/0/public/Ticker", {"pair": "USDTUSD"}, deadline)
        return read_quote(self.name, USDT, "USDTUSD", tickers, self._clock.now()).price

    async def usdt_daily(self, deadline: float) -> Mapping[int, float]:
        """Fetch the last 720 daily closes of USDT in USD; see `usd.DailyRateSource`."""
        bars = (await self.fetch_bars(USDT, 0, deadline)).bars
        return dict(zip(bars.days, bars.close, strict=True))

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> BarAnswer:
        """Send one request, which returns at most the last 720 days; see `BarProvider`."""
        pair = pair_of(asset)
        if pair is None:
            raise NotFoundError(self.name, f"Kraken cannot list {asset.symbol}")
        # the response does not include the candle that begins exactly at `since`
        since = {"since": str(first_day * DAY_SECONDS - 1)} if first_day > 0 else {}
        params = {"pair": pair, "interval": str(DAY_SECONDS // 60), **since}
        result = await self._get("/0/public/OHLC", params, deadline, figures=True)
        candles = next((result[key] for key in keys_of(pair) if key in result), None)
        rows = read_candles(self.name, pair, candles)
        bars = rows.bars(asset.symbol, first_day, int(self._clock.now() // DAY_SECONDS))
        return BarAnswer(bars, problems=tuple(rows.problems))

    async def _get(
        self,
        path: str,
        params: Mapping[str, str],
        deadline: float,
        *,
        elements: str | None = None,
        figures: bool = False,
    ) -> Mapping[str, Any]:
        async def send() -> Mapping[str, Any]:
            url = self._base + path
            response = await self._http.get(self.name, url, params=params, deadline=deadline)
            loads = strict_json.load_figures if figures else partial(strict_json.loads, elements=elements)
            body = parse.mapping(self.name, loads(self.name, response.body), "the answer")
            # Kraken reports errors with HTTP 200. They are raised inside the guard, so that the breaker counts them.
            errors = [str(error)[:100] for error in parse.sequence(self.name, body.get("error"), "error")]
            if serious := [error for error in errors if not error.startswith("W")]:
                raise error_of(self.name, serious[0])
            return parse.mapping(self.name, body.get("result"), "result")

        return await self._guard.call(send)


def error_of(provider: str, error: str) -> ProviderError:
    """Return the provider error for a Kraken error such as `EAPI:Rate limit exceeded` (severity, category and text)."""
    category, _, text = error.partition(":")
    lowered = text.lower()
    if "rate limit" in lowered or "too many requests" in lowered or "lockout" in lowered:
        return RateLimitedError(provider, f"Kraken refused too many calls: {error}")
    if category == "EQuery" and "asset" in lowered:
        return NotFoundError(provider, f"Kraken does not list the pair ({error})")
    if category == "EQuery" or "invalid arguments" in lowered:
        return MalformedError(provider, f"Kraken refused the request: {error}")
    return UpstreamError(provider, f"Kraken reports an error: {error}")
