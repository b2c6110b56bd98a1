"""Kraken spot: quotes and daily bars of coins in USD, and the USDT rate in USD.

Source: https://docs.kraken.com/api/docs/rest-api/get-ticker-information, get-ohlc-data, guides/spot-errors.
"""

import re
from array import array
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError, RateLimitedError, UpstreamError
from financehub_shared.core.kinds import KINDS, AssetType
from financehub_shared.core.models import Asset, Bars, Quote
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.evidence import read_evidence
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.http import HttpClient

#: Kraken's own names for coins.
OWN_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
#: More pairs than this would make the URL long. Without a list, Kraken returns all of its pairs.
BATCH_MAX = 100
USDT = Asset("USDT-USD", AssetType.CRYPTO)
_PAIR = re.compile(r"[A-Z0-9]{4,20}")


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
        return "kraken" in KINDS[asset.kind].providers and _pair(asset) is not None

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """Send one request, or two if a pair is unknown; see `QuoteProvider`."""
        pairs = {asset.symbol: pair for asset in assets if (pair := _pair(asset)) is not None}
        tickers = await self._tickers(list(pairs.values()), deadline)
        quotes: dict[str, Quote] = {}
        missing: dict[str, ProviderError] = {}
        for asset in assets:
            try:
                quotes[asset.symbol] = self._quote(asset, pairs[asset.symbol], tickers)
            except ProviderError as error:
                missing[asset.symbol] = error
        return QuoteBatch(quotes, missing)

    async def _tickers(self, pairs: Sequence[str], deadline: float) -> Mapping[str, Any]:
        if len(pairs) <= BATCH_MAX:
            try:
                return await self._get("/0/public/Ticker", {"pair": ",".join(pairs)}, deadline)
            except NotFoundError:
                pass  # Kraken refuses the whole request if one pair is unknown
        return await self._get("/0/public/Ticker", {}, deadline)

    def _quote(self, asset: Asset, pair: str, tickers: Mapping[str, Any]) -> Quote:
        ticker = next((tickers[key] for key in spellings(pair) if key in tickers), None)
        if ticker is None:
            raise NotFoundError(self.name, f"unknown pair {pair}")
        fields = parse.mapping(self.name, ticker, pair)
        last = parse.sequence(self.name, fields.get("c"), f"{pair} c", at_least=1)
        volumes = parse.sequence(self.name, fields.get("v"), f"{pair} v", at_least=2)
        return Quote(
            symbol=asset.symbol,
            price=parse.figure(self.name, last[0], f"{pair} c"),
            currency=asset.currency,
            # Kraken returns neither the time of the last trade nor the price 24 h ago.
            upstream_at=None,
            fetched_at=self._clock.now(),
            provider=self.name,
            volume=parse.number(self.name, volumes[1], f"{pair} v"),
            # The open is that of the day in UTC. The second value of a pair is that of the last 24 hours.
            evidence=read_evidence(
                {
                    "open": fields.get("o"),
                    "low": _item(fields.get("l"), 1),
                    "high": _item(fields.get("h"), 1),
                    "bid": _item(fields.get("b"), 0),
                    "ask": _item(fields.get("a"), 0),
                    "trades": _item(fields.get("t"), 1),
                },
                previous_close="open",
                low="low",
                high="high",
                bid="bid",
                ask="ask",
                trades="trades",
            ),
        )

    async def usdt_rate(self, deadline: float) -> Decimal:
        """Fetch the current rate in USD per USDT; see `usd.RateSource`."""
        tickers = await self._get("/0/public/Ticker", {"pair": "USDTUSD"}, deadline)
        return self._quote(USDT, "USDTUSD", tickers).price

    async def usdt_daily(self, deadline: float) -> Mapping[int, float]:
        """Fetch the last 720 daily closes of USDT in USD; see `usd.DailyRateSource`."""
        bars = await self.fetch_bars(USDT, 0, deadline)
        return dict(zip(bars.days, bars.close, strict=True))

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> Bars:
        """Send one request, which returns at most the last 720 days; see `BarProvider`."""
        pair = _pair(asset)
        if pair is None:
            raise NotFoundError(self.name, f"{asset.symbol} is not traded here")
        # the response does not include the candle that begins exactly at `since`
        since = {"since": str(first_day * DAY_SECONDS - 1)} if first_day > 0 else {}
        params = {"pair": pair, "interval": str(DAY_SECONDS // 60), **since}
        result = await self._get("/0/public/OHLC", params, deadline)
        rows = next((result[key] for key in spellings(pair) if key in result), None)
        today = int(self._clock.now() // DAY_SECONDS)
        candles: dict[int, list[float]] = {}
        for row in parse.sequence(self.name, rows, f"{pair} OHLC"):
            cells = parse.sequence(self.name, row, f"{pair} OHLC", at_least=7)
            time, *candle = parse.reals(self.name, (*cells[:5], cells[6]), f"{pair} OHLC")
            day = int(time // DAY_SECONDS)
            if first_day <= day < today:
                candles[day] = candle
        days = sorted(candles)
        columns = (array("d", [candles[day][column] for day in days]) for column in range(5))
        return Bars(asset.symbol, self.name, array("i", days), *columns)

    async def _get(self, path: str, params: Mapping[str, str], deadline: float) -> Mapping[str, Any]:
        async def send() -> Mapping[str, Any]:
            answer = await self._http.get_json(self.name, self._base + path, params=params, deadline=deadline)
            body = parse.mapping(self.name, answer, path)
            # Kraken reports errors with HTTP 200. They are raised inside the guard, so that the breaker counts them.
            errors = [str(error)[:100] for error in parse.sequence(self.name, body.get("error"), f"{path} error")]
            if serious := [error for error in errors if not error.startswith("W")]:
                raise error_of(self.name, serious[0])
            return parse.mapping(self.name, body.get("result"), f"{path} result")

        return await self._guard.call(send)


def error_of(provider: str, error: str) -> ProviderError:
    """Return the provider error for a Kraken error such as `EAPI:Rate limit exceeded` (severity, category and text)."""
    category, _, text = error.partition(":")
    lowered = text.lower()
    if "rate limit" in lowered or "too many requests" in lowered or "lockout" in lowered:
        return RateLimitedError(provider, error)
    if category == "EQuery" and "unknown asset" in lowered:
        return NotFoundError(provider, error)
    if category == "EQuery" or "invalid arguments" in lowered:
        return MalformedError(provider, f"request rejected: {error}")
    return UpstreamError(provider, error)


def spellings(pair: str) -> list[str]:
    """Return the keys that Kraken's response may use for a pair: `XBTUSD` → `XXBTZUSD`, `USDTUSD` → `USDTZUSD`.

    Old assets have the prefix X (coins) or Z (currencies), but only Kraken's list of assets says which ones.
    """
    found = [pair]
    for quote in ("USDT", "USDC", "USD", "EUR", "GBP", "CAD", "JPY", "CHF", "AUD"):
        if pair.endswith(quote) and len(pair) > len(quote):
            base = pair.removesuffix(quote)
            found += [f"X{base}Z{quote}", f"{base}Z{quote}", f"X{base}{quote}"]
            break
    return found


def _item(values: Any, index: int) -> Any:
    return values[index] if isinstance(values, list) and len(values) > index else None


def _pair(asset: Asset) -> str | None:
    """Return Kraken's pair (`BTC-USD` → `XBTUSD`), or None if Kraken cannot list the asset."""
    base, _, quote = asset.symbol.rpartition("-")
    pair = asset.provider_symbols.get("kraken") or OWN_NAMES.get(base, base) + quote
    return pair if base and _PAIR.fullmatch(pair) else None
