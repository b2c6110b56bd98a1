"""Finnhub: quotes of US stocks, one symbol per request. Requires an API key.

Source: https://finnhub.io/docs/api/quote; limits: /docs/api/rate-limit.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import (
    AuthFailedError,
    BlockedError,
    BreakerOpenError,
    NotFoundError,
    ProviderError,
    QuotaExceededError,
    RateLimitedError,
)
from financehub_shared.core.kinds import KINDS, AssetType
from financehub_shared.core.models import Asset, Quote
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.evidence import read_evidence
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.http import HttpClient

#: Number of parallel requests. At 50 ms per request, five in parallel send at most 100 per second. The budget enforces
#: Finnhub's limit of 30 per second.
CONCURRENCY = 5
#: After one of these errors, the next request would fail too.
FINAL_ERRORS = (AuthFailedError, BlockedError, BreakerOpenError, QuotaExceededError, RateLimitedError)


def build(context: ProviderContext) -> "Finnhub":
    """Build the provider."""
    return Finnhub(context.http, context.guard, context.base_url, context.api_key, context.clock, context.name)


class Finnhub:
    """Delivers quotes.

    Args:
        http: Sends the requests.
        guard: Budget and breaker of this upstream.
        base_url: Base URL of the API.
        key: API key, sent as a header.
        clock: Clock for fetch times.
        name: Name of this provider in records.
    """

    def __init__(
        self,
        http: HttpClient,
        guard: UpstreamGuard,
        base_url: str,
        key: SecretStr,
        clock: Clock,
        name: str = "finnhub",
    ) -> None:
        self.name = name
        self._http = http
        self._guard = guard
        self._url = base_url.rstrip("/") + "/api/v1/quote"
        self._key = key
        self._clock = clock

    def serves(self, asset: Asset) -> bool:
        return asset.type is AssetType.STOCK and asset.currency == "USD" and _symbol(asset) is not None

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """Send one request per asset until the upstream or our budget refuses more; see `QuoteProvider`."""
        quotes: dict[str, Quote] = {}
        missing: dict[str, ProviderError] = {}
        waiting = list(reversed(assets))
        final: list[ProviderError] = []

        async def work() -> None:
            while waiting and not final:
                asset = waiting.pop()
                try:
                    quotes[asset.symbol] = await self._quote(asset, deadline)
                except ProviderError as error:
                    missing[asset.symbol] = error
                    if isinstance(error, FINAL_ERRORS):
                        final.append(error)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
        missing.update({asset.symbol: final[0] for asset in waiting})
        return QuoteBatch(quotes, missing)

    async def _quote(self, asset: Asset, deadline: float) -> Quote:
        symbol = _symbol(asset) or asset.symbol
        row = await self._guard.call(lambda: self._get(symbol, deadline))
        price = parse.number(self.name, row.get("c"), f"{symbol} c")
        upstream_at = parse.seconds(self.name, row.get("t"), f"{symbol} t")
        if price == 0 and upstream_at == 0:
            raise NotFoundError(self.name, f"unknown symbol {symbol} (all values are zero)")
        return Quote(
            symbol=asset.symbol,
            price=price,
            currency=asset.currency,
            upstream_at=upstream_at,
            fetched_at=self._clock.now(),
            provider=self.name,
            change_percent=parse.optional_number(self.name, row.get("dp"), f"{symbol} dp"),
            evidence=read_evidence(row, previous_close="pc", low="l", high="h"),
        )

    async def _get(self, symbol: str, deadline: float) -> Mapping[str, Any]:
        headers = {"x-finnhub-token": self._key.get_secret_value()}
        answer = await self._http.get_json(
            self.name, self._url, params={"symbol": symbol}, headers=headers, deadline=deadline
        )
        return parse.mapping(self.name, answer, "quote")


def _symbol(asset: Asset) -> str | None:
    """Return Finnhub's symbol (`BRK-B` → `BRK.B`).

    Returns None for assets that the free plan does not include: other exchanges (`VOD.L`), and the kinds for which
    `KINDS` does not name Finnhub.
    """
    explicit = asset.provider_symbols.get("finnhub")
    if explicit is not None:
        return explicit
    is_included = "finnhub" in KINDS[asset.kind].providers and "." not in asset.symbol
    return asset.symbol.replace("-", ".") if is_included else None
