"""Tests of Yahoo's errors and symbols."""

from datetime import UTC, datetime

import pytest

from financehub_shared.core.errors import NotFoundError, ProviderError, RateLimitedError, UpstreamError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.yahoo.parse import (
    NoDataInRangeError,
    error_of_answer,
    own_symbol,
)

#: When the quotes were recorded.
NOW = datetime(2025, 2, 17, 10, 54, 51, tzinfo=UTC).timestamp()


def stock(symbol: str, currency: str = "USD") -> Asset:
    return Asset(symbol, AssetType.STOCK, currency=currency)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, '{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}', NotFoundError),
        (404, "<html>not here</html>", UpstreamError),
        (400, '{"chart":{"error":{"description":"Data doesn\'t exist for startDate = 1"}}}', NoDataInRangeError),
        (422, '{"chart":{"result":null,"error":{"description":"Invalid input - range=9"}}}', UpstreamError),
        (400, "[]", UpstreamError),
        (429, "Too Many Requests", RateLimitedError),
        (500, "", UpstreamError),
    ],
)
def test_error_status_has_its_error(status: int, body: str, error: type[ProviderError]):
    """A 404 means 'not found' only if Yahoo's JSON says so. A moved path must not look like delisted symbols."""
    found = error_of_answer("yahoo", status, {"retry-after": "7"}, body.encode(), NOW)
    assert type(found) is error
    if status == 429:
        assert found.retry_after == 7


@pytest.mark.parametrize(
    ("asset", "symbol"),
    [
        (stock("VOD.L"), "VOD.L"),
        (Asset("UNI-USD", AssetType.CRYPTO), None),
        (Asset("UNI-USD", AssetType.CRYPTO, provider_symbols={"yahoo": "UNI7083-USD"}), "UNI7083-USD"),
        (Asset("BRK.B", AssetType.STOCK, provider_symbols={"yahoo": "BRK-B"}), "BRK-B"),
    ],
)
def test_coin_is_served_only_with_an_explicit_symbol(asset: Asset, symbol: str | None):
    """Yahoo's coin symbols cannot be derived. For example, `UNI-USD` is another coin there."""
    assert own_symbol(asset) == symbol
