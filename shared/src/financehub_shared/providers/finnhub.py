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
from financehub_shared.providers.transport import parse, strict_json
from financehub_shared.providers.transport.elements import Fields
from financehub_shared.providers.transport.http import HttpClient
from financehub_shared.providers.transport.status import error_of_status

#: Number of parallel requests. At 50 ms per request, five in parallel send at most 100 per second. The budget enforces
#: Finnhub's limit of 30 per second.
CONCURRENCY = 5
#: Statuses with which Finnhub refuses either one symbol or the API key.
REFUSALS = frozenset({401, 403})
#: This text is in the body of a refusal that concerns only one symbol (finnhubio/Finnhub-API #356 and, with status 401,
#: #405).
NO_ACCESS = b"You don't have access to this resource"
#: After one of these errors, the next request would fail too.
FINAL_ERRORS = (AuthFailedError, BlockedError, BreakerOpenError, QuotaExceededError, RateLimitedError)


class NoAccessError(NotFoundError):
    """The plan of the API key does not include this symbol. It may include other symbols."""


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
        if len(assets) > 1 and all(isinstance(missing.get(asset.symbol), NoAccessError) for asset in assets):
            raise BlockedError(self.name, f"the API key has no access to any of the {len(assets)} symbols")
        return QuoteBatch(quotes, missing)

    async def _quote(self, asset: Asset, deadline: float) -> Quote:
        symbol = _symbol(asset) or asset.symbol
        answer = await self._guard.call(lambda: self._get(symbol, deadline))
        return read_quote(self.name, asset, symbol, answer, self._clock.now())

    async def _get(self, symbol: str, deadline: float) -> dict[str, Any]:
        headers = {"x-finnhub-token": self._key.get_secret_value()}
        answer = await self._http.get(
            self.name, self._url, params={"symbol": symbol}, headers=headers, deadline=deadline, handled=REFUSALS
        )
        if answer.status not in REFUSALS:
            return parse.mapping(self.name, strict_json.loads(self.name, answer.body), f"{symbol}: the answer")
        if NO_ACCESS in answer.body:
            detail = f"the plan of the API key does not include {symbol} (HTTP {answer.status})"
            raise NoAccessError(self.name, detail)
        raise error_of_status(self.name, answer.status, answer.headers, answer.body, self._clock.now())


def read_quote(provider: str, asset: Asset, symbol: str, answer: Mapping[str, Any], now: float) -> Quote:
    """Return the quote of one answer. Pure.

    Args:
        provider: Name of the provider.
        asset: The requested asset.
        symbol: Finnhub's symbol of the asset.
        answer: The object of the answer.
        now: Time of the fetch in Unix seconds.

    Raises:
        NotFoundError: Finnhub does not know the symbol.
        MalformedError: A value is damaged.
    """
    values = Fields(provider, symbol, answer)
    price, upstream_at = values.number("c"), values.seconds("t")
    if price == 0 and upstream_at == 0:
        raise NotFoundError(provider, f"Finnhub does not know the symbol {symbol}: all of its values are zero")
    return Quote(
        symbol=asset.symbol,
        price=price,
        currency=asset.currency,
        upstream_at=upstream_at,
        fetched_at=now,
        provider=provider,
        change_percent=values.optional_number("dp"),
        quality=values.quality,
        note=values.note,
        evidence=read_evidence(answer, previous_close="pc", low="l", high="h"),
    )


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
