"""The Finnhub provider."""

from decimal import Decimal

import httpx
import pytest
from pydantic import SecretStr

from financehub_shared.core.errors import AuthFailedError, BlockedError, NotFoundError, RateLimitedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.finnhub import Finnhub
from support.upstream import FakeUpstream, Respond

STOCKS = [Asset(f"S{n}", AssetType.STOCK) for n in range(40)]


def adapter(answer: Respond) -> tuple[Finnhub, FakeUpstream]:
    upstream = FakeUpstream(answer)
    key = SecretStr("finnhub-secret")
    return Finnhub(upstream.http, upstream.guard, "https://finnhub.test", key, upstream.clock), upstream


def quote(price: float = 10.5, at: int = 1_800_000_000) -> httpx.Response:
    return httpx.Response(200, json={"c": price, "d": 1, "dp": 2.5, "h": 11, "l": 9, "o": 10, "pc": 10, "t": at})


async def test_quotes_take_one_request_per_symbol_with_the_key_in_a_header():
    """Each symbol is requested once. The key is in a header and never in a URL."""
    finnhub, upstream = adapter(lambda _: quote())
    batch = await finnhub.fetch_quotes(STOCKS, upstream.deadline)
    assert sorted(request.url.params["symbol"] for request in upstream.requests) == sorted(a.symbol for a in STOCKS)
    assert {request.headers["x-finnhub-token"] for request in upstream.requests} == {"finnhub-secret"}
    assert not any("secret" in str(request.url) for request in upstream.requests)
    stored = batch.quotes["S0"]
    assert (stored.price, stored.change_percent, stored.upstream_at) == (Decimal("10.5"), Decimal("2.5"), 1_800_000_000)


async def test_quote_with_all_zeros_is_not_found():
    """Finnhub returns zeros for unknown symbols, which means 'not found' and not a price."""
    finnhub, upstream = adapter(lambda _: quote(0, 0))
    assert isinstance((await finnhub.fetch_quotes(STOCKS[:1], upstream.deadline)).missing["S0"], NotFoundError)


@pytest.mark.parametrize(("status", "error"), [(429, RateLimitedError), (401, AuthFailedError)])
async def test_quotes_stop_after_a_final_error(status: int, error: type[Exception]):
    """After a 429 or 401, only in-flight requests are completed, and all other symbols are missing with that reason."""
    finnhub, upstream = adapter(lambda _: httpx.Response(status))
    batch = await finnhub.fetch_quotes(STOCKS, upstream.deadline)
    assert len(upstream.requests) <= 5
    assert len(batch.missing) == 40
    assert {type(reason) for reason in batch.missing.values()} == {error}


NO_ACCESS = {"error": "You don't have access to this resource."}


@pytest.mark.parametrize("status", [401, 403])
async def test_symbol_outside_the_plan_costs_only_itself(status: int):
    """One symbol of 21 is refused. All others are delivered, and the breaker does not count the refusal (D9, I11)."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=NO_ACCESS) if request.url.params["symbol"] == "S3" else quote()

    finnhub, upstream = adapter(answer)
    batch = await finnhub.fetch_quotes(STOCKS[:21], upstream.deadline)
    assert len(batch.quotes) == 20
    assert batch.missing["S3"].reason == f"not-found: the plan of the API key does not include S3 (HTTP {status})"
    assert not batch.missing["S3"].trips_breaker


async def test_key_without_access_to_any_symbol_is_blocked():
    """If every symbol is refused, the problem is the key and not the symbols (I12)."""
    finnhub, upstream = adapter(lambda _: httpx.Response(403, json=NO_ACCESS))
    with pytest.raises(BlockedError, match="no access to any of the 21 symbols"):
        await finnhub.fetch_quotes(STOCKS[:21], upstream.deadline)


async def test_page_of_a_firewall_ends_the_fetch():
    """A 403 without Finnhub's own text concerns the IP address, so no further request is sent."""
    finnhub, upstream = adapter(lambda _: httpx.Response(403, text="<html>403 Forbidden</html>"))
    batch = await finnhub.fetch_quotes(STOCKS, upstream.deadline)
    assert len(upstream.requests) <= 5
    assert {type(error) for error in batch.missing.values()} == {BlockedError}


@pytest.mark.parametrize(
    ("symbol", "currency", "expected"),
    [("BRK-B", "USD", "BRK.B"), ("VOD.L", "GBP", None), ("^GSPC", "USD", None), ("EURUSD=X", "USD", None)],
)
async def test_serves_only_us_shares(symbol: str, currency: str, expected: str | None):
    """US shares are served with Finnhub's spelling. Other exchanges, indices and currencies are not served."""
    finnhub, upstream = adapter(lambda _: quote())
    asset = Asset(symbol, AssetType.STOCK, currency=currency)
    assert finnhub.serves(asset) is (expected is not None)
    if expected:
        await finnhub.fetch_quotes([asset], upstream.deadline)
        assert upstream.requests[0].url.params["symbol"] == expected
