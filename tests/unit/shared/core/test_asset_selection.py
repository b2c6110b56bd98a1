"""Which assets a task works on."""

import pytest

from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.models import Asset, AssetType

KNOWN = [
    Asset("AAPL", AssetType.STOCK),
    Asset("BTC-USD", AssetType.CRYPTO),
    Asset("ETH-USD", AssetType.CRYPTO),
    Asset("GONE", AssetType.STOCK, active=False),
]


@pytest.mark.parametrize(
    ("task", "chosen"),
    [
        ("fetch_stock_prices_task", ["AAPL"]),
        ("fetch_crypto_prices_task", ["BTC-USD", "ETH-USD"]),
        ("calculate_indicators_task", ["AAPL", "BTC-USD", "ETH-USD"]),
    ],
)
def test_without_symbols_a_task_takes_every_active_asset_of_its_type(task: str, chosen: list[str]) -> None:
    """Stock prices never take crypto, crypto never takes stocks, indicators take all, inactive ones are left out."""
    assert [asset.symbol for asset in select_assets(task, None, KNOWN)] == chosen


def test_symbols_narrow_a_task_and_repeats_count_once() -> None:
    """Only the named assets are taken, each once, in the order named."""
    chosen = select_assets("calculate_indicators_task", ["ETH-USD", "AAPL", "ETH-USD"], KNOWN)
    assert [asset.symbol for asset in chosen] == ["ETH-USD", "AAPL"]


@pytest.mark.parametrize(
    ("symbol", "says"), [("NOPE", "unknown symbol 'NOPE'"), ("BTC-USD", "takes stock"), ("GONE", "not active")]
)
def test_a_symbol_that_cannot_be_served_is_named(symbol: str, says: str) -> None:
    """An unknown symbol, one of another type or an inactive one is refused with its place in the list."""
    with pytest.raises(InvalidArgumentsError, match=says) as caught:
        select_assets("fetch_stock_prices_task", ["AAPL", symbol], KNOWN)
    assert caught.value.field == "symbols.1"
