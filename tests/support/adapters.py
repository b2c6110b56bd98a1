"""Runs the quote adapters of all upstreams on a given body, without a network."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal

import httpx
from pydantic import SecretStr

from financehub_shared.core.models import Asset
from financehub_shared.providers.binance.provider import Binance
from financehub_shared.providers.coingecko.provider import CoinGecko
from financehub_shared.providers.finnhub import Finnhub
from financehub_shared.providers.kraken import Kraken
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.usd import UsdtRates
from financehub_shared.providers.yahoo.quotes import read_quotes
from support.upstream import FakeUpstream

#: Reads one body as the answer to a request for quotes of the assets.
ReadQuotes = Callable[[bytes, Sequence[Asset]], Awaitable[QuoteBatch]]


class OneToOne:
    """A source whose USDT rate is 1."""

    name = "kraken"

    async def usdt_rate(self, deadline: float) -> Decimal:
        return Decimal(1)

    async def usdt_daily(self, deadline: float) -> Mapping[int, float]:
        return {}


def _upstream(body: bytes) -> FakeUpstream:
    return FakeUpstream(lambda _: httpx.Response(200, content=body))


async def _binance(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    upstream = _upstream(body)
    rates = UsdtRates([OneToOne()], None, upstream.clock)
    adapter = Binance(upstream.http, upstream.guard, "https://binance.test", rates, upstream.clock)
    return await adapter.fetch_quotes(assets, upstream.deadline)


async def _kraken(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    upstream = _upstream(body)
    adapter = Kraken(upstream.http, upstream.guard, "https://kraken.test", upstream.clock)
    return await adapter.fetch_quotes(assets, upstream.deadline)


async def _coingecko(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    upstream = _upstream(body)
    adapter = CoinGecko(upstream.http, upstream.guard, "https://coingecko.test", None, upstream.clock)
    return await adapter.fetch_quotes(assets, upstream.deadline)


async def _finnhub(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    upstream = _upstream(body)
    adapter = Finnhub(upstream.http, upstream.guard, "https://finnhub.test", SecretStr("key"), upstream.clock)
    return await adapter.fetch_quotes(assets, upstream.deadline)


async def _yahoo(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    return read_quotes("yahoo", assets, body, FakeUpstream(lambda _: httpx.Response(500)).clock.now())


#: Upstream → its adapter.
QUOTE_ADAPTERS: Mapping[str, ReadQuotes] = {
    "binance": _binance,
    "kraken": _kraken,
    "coingecko": _coingecko,
    "finnhub": _finnhub,
    "yahoo": _yahoo,
}
