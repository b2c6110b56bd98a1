"""The selection of a run's assets."""

import pytest

from financehub_shared.core.asset_selection import named_assets, select_assets, why_nothing_selected
from financehub_shared.core.errors import InvalidArgumentsError, UnknownNameError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset

KNOWN = [
    Asset("AAPL", AssetType.STOCK),
    Asset("BTC-USD", AssetType.CRYPTO),
    Asset("ETH-USD", AssetType.CRYPTO),
    Asset("GONE", AssetType.STOCK, active=False),
    Asset("PAST", AssetType.STOCK, active=False, declared=True),
]


@pytest.mark.parametrize(
    ("task", "selected"),
    [
        ("fetch_stock_prices_task", ["AAPL"]),
        ("fetch_crypto_prices_task", ["BTC-USD", "ETH-USD"]),
        ("calculate_indicators_task", ["AAPL", "BTC-USD", "ETH-USD"]),
    ],
)
def test_select_assets_without_symbols_returns_active_assets_of_type(task: str, selected: list[str]) -> None:
    """A task gets all active assets of its type, and the indicator task gets the active assets of all types."""
    assert [asset.symbol for asset in select_assets(task, None, KNOWN)] == selected


def test_select_assets_with_symbols_returns_each_once_in_order() -> None:
    """A run that names symbols gets exactly those assets, each once and in the given order."""
    selected = select_assets("calculate_indicators_task", ["ETH-USD", "AAPL", "ETH-USD"], KNOWN)
    assert [asset.symbol for asset in selected] == ["ETH-USD", "AAPL"]


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        ("NOPE", "unknown symbol 'NOPE'; `financehub assets list --all`"),
        ("AAPL.US", "unknown symbol 'AAPL.US'; did you mean AAPL?"),
        ("BTCUSDT", "did you mean BTC-USD?"),
        ("BTC-USD", "takes stock"),
        ("GONE", "not active; activate it by adding it again with `financehub assets add`"),
        ("PAST", "not active; activate it in the assets file"),
    ],
)
def test_select_assets_with_invalid_symbol_raises_with_position(symbol: str, message: str) -> None:
    """A symbol that is unknown, inactive or of another type is refused, and the error names its position."""
    with pytest.raises(InvalidArgumentsError, match=message) as caught:
        select_assets("fetch_stock_prices_task", ["AAPL", symbol], KNOWN)
    assert caught.value.field == "symbols.1"


def test_select_assets_with_an_unreadable_symbol_serves_the_others() -> None:
    """A symbol whose record cannot be read does not prevent a run that also names other symbols (D13)."""
    selected = select_assets("fetch_stock_prices_task", ["BAD", "AAPL"], KNOWN, {"BAD"})
    assert [asset.symbol for asset in selected] == ["AAPL"]


@pytest.mark.parametrize(
    ("task", "known", "unreadable", "reason"),
    [
        ("fetch_stock_prices_task", [], [], "no asset is declared; declare some in the assets file or add them with"),
        ("fetch_stock_prices_task", [], ["AAPL"], "no active stock asset; 0 assets of other types, 0 inactive, 1 unr"),
        ("fetch_crypto_prices_task", KNOWN[:1], [], "no active crypto asset; 1 assets of other types, 0 inactive"),
        ("fetch_stock_prices_task", KNOWN[1:], [], "no active stock asset; 2 assets of other types, 2 inactive"),
        ("calculate_indicators_task", KNOWN[3:], [], "no active asset; 0 assets of other types, 2 inactive"),
    ],
)
def test_why_nothing_selected_names_the_cause(
    task: str, known: list[Asset], unreadable: list[str], reason: str
) -> None:
    """A run without assets distinguishes that none is declared from that none fits (F8)."""
    assert select_assets(task, None, known, unreadable) == []
    assert why_nothing_selected(task, known, unreadable).startswith(reason)


BY_SYMBOL = {asset.symbol: asset for asset in KNOWN}


def test_named_assets_without_symbols_returns_the_active_assets() -> None:
    """A command that names no symbol shows all active assets."""
    for symbols in (None, []):
        assert [asset.symbol for asset in named_assets(symbols, BY_SYMBOL)] == ["AAPL", "BTC-USD", "ETH-USD"]


def test_named_assets_with_symbols_returns_them_in_order_and_inactive_ones_too() -> None:
    """A command that names symbols in any case shows these assets in this order, whether they are active or not."""
    named = named_assets(["gone", "BTC-usd"], BY_SYMBOL)
    assert [asset.symbol for asset in named] == ["GONE", "BTC-USD"]


def test_named_assets_leaves_out_unreadable_symbols_and_raises_for_unknown_ones() -> None:
    """A symbol whose record is damaged is left out, because a note names it. An unknown symbol raises."""
    assert [asset.symbol for asset in named_assets(["bad", "AAPL"], BY_SYMBOL, {"BAD"})] == ["AAPL"]
    with pytest.raises(UnknownNameError, match=r"unknown symbol 'BTCUSDT'; did you mean BTC-USD\?"):
        named_assets(["BTCUSDT"], BY_SYMBOL, {"BAD"})
