"""The assets file: what is allowed, and what a mistake is told."""

from pathlib import Path

import pytest

from financehub_shared.core.models import Asset, AssetType
from financehub_shared.market.assets_file import AssetsFileError, load_assets, parse_assets
from financehub_shared.providers.coingecko.ids import IDS

ROOT = Path(__file__).parents[4]


def test_an_entry_is_read_with_its_defaults():
    """What is left out follows from the symbol; tickers that YAML takes for booleans are read as written."""
    assets = parse_assets(
        """
        assets:
          - {symbol: BTC-EUR, type: crypto, name: Bitcoin, providers: {kraken: XBTEUR}}
          - {symbol: ON, type: stock}
          - symbol: VOD.L
            type: stock
            currency: GBP
            active: no
        """,
        "assets.yaml",
    )
    assert assets == [
        Asset("BTC-EUR", AssetType.CRYPTO, "Bitcoin", "EUR", provider_symbols={"kraken": "XBTEUR"}),
        Asset("ON", AssetType.STOCK),
        Asset("VOD.L", AssetType.STOCK, currency="GBP", active=False),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "f:1: expected a mapping with one list", id="empty"),
        pytest.param("- AAPL", "f:1: expected a mapping", id="a list"),
        pytest.param("assets: 5", "f:1: expected a mapping", id="no list"),
        pytest.param("stocks: []", "f:1: unknown field 'stocks'", id="another list"),
        pytest.param("assets:\n- {symbol: A", "f:2: invalid YAML: expected ',' or '}'", id="syntax"),
        pytest.param("assets:\n\n- AAPL", "f:3: expected a mapping such as", id="bare symbol"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, problem: str):
    """What is no list of assets is told apart from a wrong asset."""
    with pytest.raises(AssetsFileError) as caught:
        parse_assets(text, "f")
    assert problem in caught.value.problems[0]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        pytest.param("type: stock", "f:2: symbol is missing", id="no symbol"),
        pytest.param("symbol: AAPL", "f:2: type is missing", id="no type"),
        pytest.param("symbol: AAPL\ntype: stonk", "f:3: unknown type 'stonk'; did you mean 'stock'?", id="type"),
        pytest.param("symbol: AAPL\ntype: bond", "allowed values: crypto, stock", id="another type"),
        pytest.param("symbol: aapl\ntype: stock", "f:2: symbol 'aapl' is invalid: use capitals", id="symbol"),
        pytest.param("symbol: BTC\ntype: crypto", "write BTC-USD instead of BTC", id="crypto without currency"),
        pytest.param("symbol: BTCUSDT\ntype: crypto", "includes its currency", id="an exchange's pair"),
        pytest.param("symbol: BTC-USD\ntype: crypto\ncurrency: EUR", "f:4: BTC-USD is priced in USD", id="quoted in"),
        pytest.param(
            "symbol: EURGBP=X\ntype: stock\ncurrency: USD", "f:4: EURGBP=X is priced in GBP", id="a currency's"
        ),
        pytest.param("symbol: NBK.KW\ntype: stock\ncurrency: KWF", "KWF is a minor unit; write KWD", id="fils"),
        pytest.param("symbol: VOD.L\ntype: stock", "set its currency (a .L stock: GBP)", id="no currency"),
        pytest.param("symbol: VOD.L\ntype: stock\ncurrency: GBp", "GBp is a minor unit; write GBP", id="pence"),
        pytest.param("symbol: A\ntype: stock\ncurrency: dollar", "'dollar' is not an ISO 4217 currency code", id="currency"),
        pytest.param("symbol: A\ntype: stock\nnmae: x", "f:4: unknown field 'nmae'; did you mean 'name'?", id="typo"),
        pytest.param("symbol: A\ntype: stock\nactive: perhaps", "f:4: active 'perhaps'", id="active"),
        pytest.param(
            "symbol: A-USD\ntype: crypto\nproviders:\n  binnace: AUSDT",
            "f:5: unknown provider 'binnace'; did you mean 'binance'?",
            id="provider",
        ),
        pytest.param("symbol: A\ntype: stock\nsymbol: B", "f:4: symbol is written twice", id="field twice"),
    ],
)
def test_a_mistake_is_told_with_line_and_remedy(entry: str, problem: str):
    """A wrong asset is refused, and the message says where it is and how to mend it."""
    with pytest.raises(AssetsFileError) as caught:
        parse_assets("assets:\n- " + entry.replace("\n", "\n  "), "f")
    assert problem in caught.value.problems[0]


def test_a_symbol_declared_twice_is_told_with_both_lines():
    """Two entries of one symbol would otherwise silently shadow each other."""
    with pytest.raises(AssetsFileError, match="f:3: A is declared twice; the first declaration is in line 2"):
        parse_assets("assets:\n- {symbol: A, type: stock}\n- {symbol: A, type: stock}", "f")


def test_all_mistakes_are_told_at_once():
    """Nobody mends a file one run at a time."""
    with pytest.raises(AssetsFileError, match=r"^f:2: .* \(and 2 more\)$") as caught:
        parse_assets("assets:\n- {symbol: a, type: b}\n- {symbol: X, type: stock, colour: red}", "f")
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["f:2", "f:2", "f:3"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["missing", "binary"])
def test_an_unreadable_file_is_one_error(tmp_path: Path, content: bytes | None):
    """A file that is not there or no text is told like any other mistake."""
    path = tmp_path / "assets.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AssetsFileError, match=str(path)):
        load_assets(path)


def test_the_assets_of_make_run_are_many_and_of_both_types():
    """A new user sees at least 36 assets, both types, and stocks quoted in pence among them."""
    assets = load_assets(ROOT / "deploy/local/assets.yaml")
    assert len(assets) >= 36
    assert {asset.type for asset in assets} == set(AssetType)
    assert sum(asset.symbol.endswith(".L") and asset.currency == "GBP" for asset in assets) >= 2


def test_every_local_coin_can_be_found_at_coingecko():
    """Each coin has a CoinGecko id, its own or a well-known one, so that the failover reaches all of them."""
    coins = [asset for asset in load_assets(ROOT / "deploy/local/assets.yaml") if asset.type is AssetType.CRYPTO]
    lacking = [
        a.symbol for a in coins if "coingecko" not in a.provider_symbols and a.symbol.partition("-")[0] not in IDS
    ]
    assert lacking == []
