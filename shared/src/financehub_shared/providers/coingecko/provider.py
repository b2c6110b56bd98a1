"""CoinGecko: quotes of coins, which CoinGecko identifies by its own ids, 250 per request.

Source: https://docs.coingecko.com/reference/coins-markets, /reference/simple-price.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import SecretStr

from financehub_shared.core.chunks import chunks
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ProviderError
from financehub_shared.core.kinds import KINDS
from financehub_shared.core.models import Asset, Quote
from financehub_shared.providers.coingecko.ids import coin_id
from financehub_shared.providers.coingecko.quotes import read_quotes
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.elements import Fields
from financehub_shared.providers.transport.http import HttpClient

T = TypeVar("T")

PAGE = 250


def build(context: ProviderContext) -> "CoinGecko":
    """Build the provider."""
    return CoinGecko(context.http, context.guard, context.base_url, context.api_key, context.clock, context.name)


class CoinGecko:
    """Delivers quotes.

    Symbols are not unique at CoinGecko, so this provider serves only coins whose id is known: those in `ids.py`, and
    assets with a `coingecko` entry in their provider symbols.

    Args:
        http: Sends the requests.
        guard: Budget and breaker of this upstream.
        base_url: Base URL of the API.
        key: Demo key, sent as a header. The public limits apply if it is None or empty.
        clock: Clock for fetch times.
        name: Name of this provider in records.
    """

    def __init__(
        self,
        http: HttpClient,
        guard: UpstreamGuard,
        base_url: str,
        key: SecretStr | None,
        clock: Clock,
        name: str = "coingecko",
    ) -> None:
        self.name = name
        self._http = http
        self._guard = guard
        self._base = base_url.rstrip("/")
        self._key = key
        self._clock = clock

    def serves(self, asset: Asset) -> bool:
        return "coingecko" in KINDS[asset.kind].providers and coin_id(asset) is not None

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """Send one request per 250 coins of one currency. A failed page affects only its own coins."""
        quotes: dict[str, Quote] = {}
        missing: dict[str, ProviderError] = {}
        for page in _pages(assets):
            try:
                coins = await self._markets(page, deadline)
            except ProviderError as error:
                missing.update(dict.fromkeys((asset.symbol for asset in page), error))
                continue
            batch = read_quotes(self.name, page, coins, self._clock.now())
            quotes.update(batch.quotes)
            missing.update(batch.missing)
        return QuoteBatch(quotes, missing)

    async def _markets(self, page: Sequence[Asset], deadline: float) -> list[Any]:
        params = {
            "vs_currency": page[0].currency.lower(),
            "ids": ",".join(dict.fromkeys(coin_id(asset) or "" for asset in page)),
            "per_page": str(PAGE),
            "page": "1",
        }
        return await self._get("/api/v3/coins/markets", params, deadline, parse.sequence, elements="")

    async def usdt_rate(self, deadline: float) -> Decimal:
        """Fetch the current rate in USD per USDT; see `usd.RateSource`."""
        params = {"ids": "tether", "vs_currencies": "usd"}
        coins = await self._get("/api/v3/simple/price", params, deadline, parse.mapping)
        return Fields(self.name, "tether", parse.mapping(self.name, coins.get("tether"), "tether")).number("usd")

    async def _get(
        self,
        path: str,
        params: Mapping[str, str],
        deadline: float,
        shape: Callable[..., T],
        *,
        elements: str | None = None,
    ) -> T:
        headers = {"x-cg-demo-api-key": self._key.get_secret_value()} if self._key else None

        async def send() -> T:
            # The shape is checked inside the guard, so that the breaker counts an unexpected one as a failure.
            url = self._base + path
            answer = await self._http.get_json(
                self.name, url, params=params, headers=headers, deadline=deadline, elements=elements
            )
            return shape(self.name, answer, "the answer")

        return await self._guard.call(send)


def _pages(assets: Sequence[Asset]) -> list[list[Asset]]:
    """Split assets into pages. Each page has one currency and at most `PAGE` assets."""
    by_currency: dict[str, list[Asset]] = {}
    for asset in assets:
        by_currency.setdefault(asset.currency, []).append(asset)
    return [page for group in by_currency.values() for page in chunks(group, PAGE)]
