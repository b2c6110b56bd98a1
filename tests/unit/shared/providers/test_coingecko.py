"""The CoinGecko provider."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from financehub_shared.core.errors import MalformedError, NotFoundError, RateLimitedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.coingecko.provider import CoinGecko
from support.upstream import FakeUpstream, Respond

BTC, ETH = Asset("BTC-USD", AssetType.CRYPTO), Asset("ETH-USD", AssetType.CRYPTO)


def row(id: str, price: object = 100.5) -> dict[str, object]:
    return {
        "id": id,
        "current_price": price,
        "total_volume": 2010,
        "price_change_percentage_24h": -1.25,
        "last_updated": "2027-01-15T08:00:00.000Z",
    }


def adapter(answer: Respond, key: str | None = None) -> tuple[CoinGecko, FakeUpstream]:
    upstream = FakeUpstream(answer)
    secret = SecretStr(key) if key else None
    return CoinGecko(upstream.http, upstream.guard, "https://coingecko.test", secret, upstream.clock), upstream


async def test_row_becomes_a_quote():
    """The price is as sent, the volume is in coins and the timestamp is in Unix seconds."""
    coingecko, upstream = adapter(lambda _: httpx.Response(200, json=[row("bitcoin")]))
    quote = (await coingecko.fetch_quotes([BTC], upstream.deadline)).quotes["BTC-USD"]
    assert (quote.price, quote.volume, quote.change_percent) == (Decimal("100.5"), Decimal(20), Decimal("-1.25"))
    assert quote.upstream_at == datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()


async def test_null_price_and_unknown_coin_have_different_errors():
    """A null price is malformed, and a missing row means 'not found'."""
    coingecko, upstream = adapter(lambda _: httpx.Response(200, json=[row("bitcoin", None)]))
    missing = (await coingecko.fetch_quotes([BTC, ETH], upstream.deadline)).missing
    assert (type(missing["BTC-USD"]), type(missing["ETH-USD"])) == (MalformedError, NotFoundError)


async def test_quotes_with_a_failed_page_deliver_the_others():
    """600 coins take three requests. If the second fails, the quotes of the others are delivered."""
    assets = [Asset(f"C{n}-USD", AssetType.CRYPTO, provider_symbols={"coingecko": f"coin-{n}"}) for n in range(600)]

    def answer(request: httpx.Request) -> httpx.Response:
        ids = request.url.params["ids"].split(",")
        if "coin-300" in ids:
            return httpx.Response(429, headers={"retry-after": "9"})
        return httpx.Response(200, json=[row(id) for id in ids])

    coingecko, upstream = adapter(answer)
    batch = await coingecko.fetch_quotes(assets, upstream.deadline)
    assert [len(request.url.params["ids"].split(",")) for request in upstream.requests] == [250, 250, 100]
    assert (len(batch.quotes), len(batch.missing)) == (350, 250)
    assert {type(error) for error in batch.missing.values()} == {RateLimitedError}


async def test_key_is_sent_as_a_header_only():
    """The Demo key is in its header and not in the URL."""
    coingecko, upstream = adapter(lambda _: httpx.Response(200, json=[row("bitcoin")]), key="CG-secret")
    await coingecko.fetch_quotes([BTC], upstream.deadline)
    assert upstream.requests[0].headers["x-cg-demo-api-key"] == "CG-secret"
    assert "secret" not in str(upstream.requests[0].url)


def test_coin_without_a_known_id_is_not_served():
    """CoinGecko's symbols are ambiguous, so an id is never guessed."""
    coingecko, _ = adapter(lambda _: httpx.Response(500))
    assert coingecko.serves(BTC)
    assert not coingecko.serves(Asset("NEWCOIN-USD", AssetType.CRYPTO))


@pytest.mark.parametrize(("price", "turnover"), [(1e-12, 1e9), (1e-300, 1e300), ("1e-390", "1e390"), (0, 5)])
async def test_volume_of_a_cheap_coin_is_computed_without_overflow(price: object, turnover: object):
    """A volume of more than 10^20 coins does not cost the quote, and no coin costs the quotes of others (D9)."""
    rows = [{**row("bitcoin", price), "total_volume": turnover}, row("ethereum")]
    coingecko, upstream = adapter(lambda _: httpx.Response(200, json=rows))
    quotes = (await coingecko.fetch_quotes([BTC, ETH], upstream.deadline)).quotes
    assert quotes.keys() == {"BTC-USD", "ETH-USD"}
    volume = quotes["BTC-USD"].volume
    assert (volume is None) if price == 0 else (volume is not None and volume > 10**20)


async def test_coin_that_changed_its_symbol_is_refused():
    """An id stays when its coin's symbol changes, so a symbol could get the price of another coin (D4, I15)."""
    eos = Asset("EOS-USD", AssetType.CRYPTO)
    coingecko, upstream = adapter(lambda _: httpx.Response(200, json=[{**row("eos"), "symbol": "a"}]))
    error = (await coingecko.fetch_quotes([eos], upstream.deadline)).missing["EOS-USD"]
    assert error.reason == (
        "not-found: the symbol of the coin id 'eos' is now 'a'; if it is the right coin, set `coingecko: eos` under "
        "the providers of EOS-USD"
    )
    explicit = Asset("EOS-USD", AssetType.CRYPTO, provider_symbols={"coingecko": "eos"})
    assert (await coingecko.fetch_quotes([explicit], upstream.deadline)).quotes


async def test_usdt_rate_is_the_price_of_tether():
    """The USDT rate is the price of the coin `tether` in USD."""
    coingecko, upstream = adapter(lambda _: httpx.Response(200, json={"tether": {"usd": 0.9987}}))
    assert await coingecko.usdt_rate(upstream.deadline) == Decimal("0.9987")


@pytest.mark.real_data
async def test_recorded_markets_become_quotes(real_answers: Path):
    """The recorded markets of February 2024 yield quotes with the same values."""
    recorded = json.loads((real_answers / "coingecko-markets.json").read_text())["body"]
    coingecko, upstream = adapter(lambda _: httpx.Response(200, json=recorded))
    batch = await coingecko.fetch_quotes([BTC, ETH], upstream.deadline)
    assert (batch.quotes["BTC-USD"].price, batch.quotes["ETH-USD"].price) == (52_200, Decimal("2852.79"))
    assert batch.quotes["BTC-USD"].upstream_at == pytest.approx(1_708_049_825.566)
    assert batch.missing == {}
