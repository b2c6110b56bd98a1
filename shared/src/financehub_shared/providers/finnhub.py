"""Finnhub: quotes of US stocks, with a key, one symbol a request.

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
from financehub_shared.core.models import Asset, AssetType, Quote
from financehub_shared.providers.guard import Guard
from financehub_shared.providers.ports import QuoteBatch
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.http import HttpClient

#: Finnhub allows 30 requests a second; at 50 ms a request five in flight stay below 100 and the budget keeps the rest.
CONCURRENCY = 5
#: After one of these the next request would fare no better.
HOPELESS = (AuthFailedError, BlockedError, BreakerOpenError, QuotaExceededError, RateLimitedError)


class Finnhub:
    """Quotes.

    Args:
        http: sends the requests.
        guard: budget and breaker of this upstream.
        base_url: without a trailing slash.
        key: the API key, sent as a header.
        clock: for fetch times.
        name: how records name this provider.
    """

    def __init__(
        self, http: HttpClient, guard: Guard, base_url: str, key: SecretStr, clock: Clock, name: str = "finnhub"
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
        """One request an asset, until the upstream or our budget says enough; see `QuoteProvider`."""
        quotes: dict[str, Quote] = {}
        missing: dict[str, ProviderError] = {}
        waiting = list(reversed(assets))
        enough: list[ProviderError] = []

        async def work() -> None:
            while waiting and not enough:
                asset = waiting.pop()
                try:
                    quotes[asset.symbol] = await self._quote(asset, deadline)
                except ProviderError as error:
                    missing[asset.symbol] = error
                    if isinstance(error, HOPELESS):
                        enough.append(error)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
        missing.update({asset.symbol: enough[0] for asset in waiting})
        return QuoteBatch(quotes, missing)

    async def _quote(self, asset: Asset, deadline: float) -> Quote:
        symbol = _symbol(asset) or asset.symbol
        row = await self._guard.call(lambda: self._ask(symbol, deadline))
        price = parse.number(self.name, row.get("c"), f"{symbol} c")
        made_at = parse.seconds(self.name, row.get("t"), f"{symbol} t")
        if price == 0 and made_at == 0:
            raise NotFoundError(self.name, f"no symbol {symbol} (all zero)")
        return Quote(
            symbol=asset.symbol,
            price=price,
            currency=asset.currency,
            upstream_at=made_at,
            fetched_at=self._clock.now(),
            provider=self.name,
            change_percent=parse.optional_number(self.name, row.get("dp"), f"{symbol} dp"),
        )

    async def _ask(self, symbol: str, deadline: float) -> Mapping[str, Any]:
        headers = {"x-finnhub-token": self._key.get_secret_value()}
        answer = await self._http.get_json(
            self.name, self._url, params={"symbol": symbol}, headers=headers, deadline=deadline
        )
        return parse.mapping(self.name, answer, "quote")


def _symbol(asset: Asset) -> str | None:
    """`BRK-B` → `BRK.B`; None for what the free plan lacks: other exchanges (`VOD.L`), indices, currencies."""
    own = asset.provider_symbols.get("finnhub")
    if own is not None:
        return own
    return None if any(mark in asset.symbol for mark in ".^=") else asset.symbol.replace("-", ".")
