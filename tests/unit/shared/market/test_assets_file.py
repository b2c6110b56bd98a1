"""Tests of the assets file: valid entries, and errors with line and fix."""

from pathlib import Path

import pytest

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.asset_entry import read_entry
from financehub_shared.market.assets_file import MAX_ASSETS, MAX_FILE_BYTES, AssetsFileError, load_assets, parse_assets
from financehub_shared.providers.coingecko.ids import IDS

ROOT = Path(__file__).parents[4]


def test_parse_of_an_entry_fills_defaults():
    """Omitted fields are derived from the symbol. Tickers that YAML would read as booleans are read as strings."""
    assets = parse_assets(
        """
        assets:
          - {symbol: BTC-EUR, type: crypto, name: Bitcoin, providers: {kraken: XBTEUR}}
          - {symbol: ON, type: stock}
          - symbol: VOD.L
            type: stock
            active: no
          - symbol: GOOGL
            type: stock
            kind: equity
            aliases: [Google, "Alphabet  Inc"]
            exchanges: [nasdaq]
        """,
        "assets.yaml",
    )
    assert assets == [
        Asset("BTC-EUR", AssetType.CRYPTO, "Bitcoin", "EUR", provider_symbols={"kraken": "XBTEUR"}),
        Asset("ON", AssetType.STOCK),
        Asset("VOD.L", AssetType.STOCK, currency="GBP", active=False),
        Asset(
            "GOOGL",
            AssetType.STOCK,
            stated_kind=AssetKind.EQUITY,
            aliases=("Google", "Alphabet Inc"),
            exchanges=("NASDAQ",),
        ),
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
        pytest.param("assets: []\nassets: []", "f:2: assets is written twice, first in line 1", id="two lists"),
        pytest.param("assets:\n- &a {providers: *a}", "f: invalid YAML: lists and mappings are", id="contains itself"),
        pytest.param("assets: " + "[" * 500 + "]" * 500, "f: invalid YAML: lists and mappings are nested", id="deep"),
    ],
)
def test_parse_of_a_file_with_another_shape_is_refused(text: str, problem: str):
    """A document that is not a list of assets has a specific error."""
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
        pytest.param("symbol: Acme Inc\ntype: stock", "symbol 'Acme Inc' is invalid: use capitals", id="symbol"),
        pytest.param("type: stock\nsymbol: aapl", "f:3: write AAPL instead of aapl", id="lower case"),
        pytest.param("symbol: BTC\ntype: crypto", "write BTC-USD instead of BTC", id="crypto without currency"),
        pytest.param("symbol: BTCUSDT\ntype: crypto", "write BTC-USD instead of BTCUSDT", id="an exchange's pair"),
        pytest.param("symbol: BRK.B\ntype: stock", "write BRK-B instead of BRK.B", id="class of shares"),
        pytest.param("symbol: SAP.GR\ntype: stock", "write SAP.AT or SAP.DE instead of SAP.GR", id="two exchanges"),
        pytest.param(
            "symbol: DAX\ntype: stock",
            "write ^GDAXI instead of DAX; if you mean a share or a fund of this name, set its kind",
            id="name of an index",
        ),
        pytest.param(
            "symbol: BTC/USD\ntype: stock",
            "BTC/USD is BTC-USD, an asset of the type crypto, not stock; write BTC-USD and the type crypto",
            id="coin among stocks",
        ),
        pytest.param("symbol: ^GSPC\ntype: crypto", "^GSPC is an asset of the type stock", id="index among coins"),
        pytest.param("symbol: A\ntype: stock\nkind: etf", "f:4: unknown kind 'etf'; did you mean 'fund'?", id="kind"),
        pytest.param("symbol: A\ntype: stock\nkind: bond", "allowed values: coin, equity, fund", id="another kind"),
        pytest.param("symbol: A\ntype: stock\nkind: coin", "f:4: an asset of the kind coin has the type", id="coin"),
        pytest.param("symbol: ^GSPC\ntype: stock\nkind: fund", "^GSPC is an index, not of the kind fund", id="form"),
        pytest.param("symbol: A\ntype: stock\nkind: fx", "A is not the symbol of a currency pair", id="no form"),
        pytest.param(
            "symbol: BTC-USD\ntype: crypto\ncurrency: EUR", "f:4: BTC-USD is priced in USD", id="currency of the pair"
        ),
        pytest.param(
            "symbol: EURGBP=X\ntype: stock\ncurrency: USD", "f:4: EURGBP=X is priced in GBP", id="currency of a rate"
        ),
        pytest.param("symbol: NBK.KW\ntype: stock\ncurrency: KWF", "KWF is a minor unit; write KWD", id="fils"),
        pytest.param(
            "symbol: JPY=X\ntype: stock\ncurrency: USD", "f:4: JPY=X is priced in JPY", id="currency of one dollar"
        ),
        pytest.param("symbol: FOO=X\ntype: stock", "FOO=X is not a currency pair", id="no currency pair"),
        pytest.param("symbol: VOD.ZZ\ntype: stock", "the exchange suffix .ZZ of VOD.ZZ is unknown", id="suffix"),
        pytest.param("symbol: M&M\ntype: stock", "M&M is not a US ticker; add the suffix of its exchange", id="India"),
        pytest.param("symbol: ACMECORP\ntype: stock", "ACMECORP is not a US ticker", id="name of a company"),
        pytest.param("symbol: US0378331005\ntype: stock", "US0378331005 is not a symbol, but the ISIN", id="ISIN"),
        pytest.param("symbol: AB=C\ntype: stock", "only currency pairs (EURUSD=X) and futures", id="equals sign"),
        pytest.param("symbol: BTC-XYZ\ntype: crypto", "BTC-XYZ is not the symbol of a coin", id="currency of a coin"),
        pytest.param("symbol: ^MYINDEX\ntype: stock", "the currency of ^MYINDEX is unknown; set", id="unknown index"),
        pytest.param("symbol: A\ntype: stock\ncurrency: usd", "'usd' is not an ISO 4217", id="currency in lower case"),
        pytest.param("symbol: A\ntype: stock\ncurrency: UDS", "did you mean USD?", id="misspelled currency"),
        pytest.param("symbol: VOD.L\ntype: stock\ncurrency: GBp", "GBp is a minor unit; write GBP", id="pence"),
        pytest.param(
            "symbol: A\ntype: stock\ncurrency: dollar", "'dollar' is not an ISO 4217 currency code", id="currency"
        ),
        pytest.param("symbol: A\ntype: stock\nnmae: x", "f:4: unknown field 'nmae'; did you mean 'name'?", id="typo"),
        pytest.param("symbol: A\ntype: stock\nactive: perhaps", "f:4: active 'perhaps'", id="active"),
        pytest.param(
            "symbol: A-USD\ntype: crypto\nproviders:\n  binnace: AUSDT",
            "f:5: unknown provider 'binnace'; did you mean 'binance'?",
            id="provider",
        ),
        pytest.param("symbol: A\ntype: stock\nsymbol: B", "f:4: symbol is written twice", id="field twice"),
        pytest.param(
            "symbol: A\ntype: stock\nproviders:\n  yahoo: A,B",
            "f:5: symbol 'A,B' of yahoo is invalid",
            id="own symbols",
        ),
        pytest.param("symbol: A\ntype: stock\naliases: [A]", "alias 'A': write a name of 2 to 60", id="short alias"),
        pytest.param("symbol: A\ntype: stock\naliases: [Go, GO]", "alias 'GO' is written twice", id="alias twice"),
        pytest.param("symbol: A\ntype: stock\naliases: Google", "f:4: aliases 'Google': write a list", id="no list"),
        pytest.param("symbol: A\ntype: stock\nexchanges: [NASDQ]", "did you mean 'NASDAQ'?", id="exchange"),
        pytest.param("symbol: A\ntype: stock\nexchanges: [New York]", "write its short name", id="exchange name"),
        pytest.param("symbol: A\ntype: stock\nexchanges: [LSE, lse]", "'LSE' is written twice", id="exchange twice"),
        pytest.param("symbol: AMD\ntype: stock\nkind: index", "is not the symbol of an index", id="share as index"),
        pytest.param("symbol: SPY\ntype: ETF", "write the type stock and the kind fund", id="kind as type"),
        pytest.param("symbol: SPY\ntype: STOCK", "did you mean 'stock'?", id="type in capitals"),
        pytest.param("symbol: A\ntype: stock\nactive:", "active '': write true or false", id="empty active"),
        pytest.param("symbol: [A]\ntype: stock", "symbol ['A']: write a single text", id="list of symbols"),
        pytest.param("symbol: A\ntype: stock\nproviders: [yahoo]", "write a mapping, such as", id="providers"),
        pytest.param("symbol: A\ntype: stock\naliases: [[AB]]", "aliases.0 []: write a single text", id="nested list"),
        pytest.param("symbol: A\ntype: stock\n? [B]\n: c", "unknown field '[…]'", id="list as a field"),
    ],
)
def test_parse_of_an_invalid_entry_reports_line_and_remedy(entry: str, problem: str):
    """An invalid asset is refused, and the message names its line and explains how to fix it."""
    with pytest.raises(AssetsFileError) as caught:
        parse_assets("assets:\n- " + entry.replace("\n", "\n  "), "f")
    assert problem in caught.value.problems[0]


CURRENCY_OF = {
    "BTC-EUR": "EUR",
    "AAPL": "USD",
    "VOD.L": "GBP",
    "SAP.DE": "EUR",
    "SSW.JO": "ZAR",
    "TEVA.TA": "ILS",
    "NBK.KW": "KWD",
    "M&M.NS": "INR",
    "2222.SR": "SAR",
    "EURGBP=X": "GBP",
    "JPY=X": "JPY",
    "USDCNH=X": "CNH",
    "^GSPC": "USD",
    "^N225": "JPY",
    "^FTSE": "GBP",
    "^GDAXI": "EUR",
    "^VIX": "USD",
    "^TA90.TA": "ILS",
    "^990100-USD-STRD": "USD",
    "^SP500-45": "USD",
    "000001.SS": "CNY",
    "DX-Y.NYB": "USD",
    "GC=F": "USD",
    "NIY=F": "JPY",
    "ZCZ26.CBT": "USD",
    "VFIAX": "USD",
    "0P000071W8.TO": "CAD",
}


def test_parse_of_an_entry_without_currency_derives_it_by_the_rule_of_the_kind():
    """The currency follows from the pair, index, future or exchange, including minor units (D11, D14)."""
    lines = [f"- {{symbol: {name}, type: {'crypto' if name == 'BTC-EUR' else 'stock'}}}" for name in CURRENCY_OF]
    assets = parse_assets("\n".join(["assets:", *lines]), "f")
    assert {asset.symbol: asset.currency for asset in assets} == CURRENCY_OF


@pytest.mark.parametrize(
    ("symbol", "currency"), [("CSPX.L", "USD"), ("^MYINDEX", "SEK"), ("VOD.ZZ", "EUR"), ("M&M", "INR")]
)
def test_parse_of_an_entry_with_a_stated_currency_keeps_it(symbol: str, currency: str):
    """A stated currency replaces that of the exchange, because some London funds are priced in dollars (D14)."""
    (asset,) = parse_assets(f"assets: [{{symbol: {symbol}, type: stock, currency: {currency}}}]", "f")
    assert asset.currency == currency


def test_parse_of_a_local_index_without_a_caret_keeps_its_kind():
    """Yahoo writes some indices like listings. An index without the suffix of an exchange needs its caret."""
    assert read_entry({"symbol": "TA90.TA", "type": "stock", "kind": "index"})[1] == []
    assert "is not the symbol of an index" in read_entry({"symbol": "TESTX", "type": "stock", "kind": "index"})[1][0][1]


def test_parse_of_a_repeated_symbol_reports_both_lines():
    """A symbol with two entries is refused, because one entry would silently replace the other."""
    with pytest.raises(AssetsFileError, match="f:3: A is declared twice; the first declaration is in line 2"):
        parse_assets("assets:\n- {symbol: A, type: stock}\n- {symbol: A, type: stock}", "f")


def test_parse_of_a_file_with_several_errors_reports_all():
    """One error lists all of a file's problems, so that they can be fixed in one go."""
    with pytest.raises(AssetsFileError, match=r"^f:2: .* \(and 2 more\)$") as caught:
        parse_assets("assets:\n- {symbol: a, type: b}\n- {symbol: X, type: stock, colour: red}", "f")
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["f:2", "f:2", "f:3"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["missing", "binary"])
def test_load_of_an_unreadable_file_raises_an_assets_file_error(tmp_path: Path, content: bytes | None):
    """A missing file and a file that is not text raise the same error class as an invalid entry."""
    path = tmp_path / "assets.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AssetsFileError, match=str(path)):
        load_assets(path)


def test_local_assets_file_has_both_types_and_london_stocks():
    """`make run` has at least 36 assets of both types, with stocks quoted in pence among them."""
    assets = load_assets(ROOT / "deploy/local/assets.yaml")
    assert len(assets) >= 36
    assert {asset.type for asset in assets} == set(AssetType)
    assert sum(asset.symbol.endswith(".L") and asset.currency == "GBP" for asset in assets) >= 2


def test_local_assets_file_has_a_coingecko_id_for_every_coin():
    """Each coin has a CoinGecko id in its entry or in the built-in table, so failover works for all coins."""
    coins = [asset for asset in load_assets(ROOT / "deploy/local/assets.yaml") if asset.type is AssetType.CRYPTO]
    coins_without_id = [
        a.symbol for a in coins if "coingecko" not in a.provider_symbols and a.symbol.partition("-")[0] not in IDS
    ]
    assert coins_without_id == []


def test_file_at_the_limit_of_assets_is_read_and_beyond_it_refused(monkeypatch: pytest.MonkeyPatch):
    """R8: The limit bounds the market data in Redis, and an error says how many assets are declared."""
    assert MAX_ASSETS == 5_000
    monkeypatch.setattr("financehub_shared.market.assets_file.MAX_ASSETS", 50)  # parsing 5,000 takes 5 s
    lines = [f"  - {{symbol: A{number}, type: stock}}" for number in range(51)]
    assert len(parse_assets("\n".join(["assets:", *lines[:-1]]), "f")) == 50
    with pytest.raises(AssetsFileError, match="f:1: 51 assets are declared, and the limit is 50; declare fewer"):
        parse_assets("\n".join(["assets:", *lines]), "f")


def test_file_beyond_the_largest_size_is_refused(tmp_path: Path):
    """R9: A file that is too large is not parsed."""
    file = tmp_path / "assets.yaml"
    content = "assets: [{symbol: AAPL, type: stock}]\n"
    file.write_text(content + "#" * (MAX_FILE_BYTES - len(content)))
    assert len(load_assets(file)) == 1
    file.write_text(content + "#" * (MAX_FILE_BYTES - len(content) + 1))
    with pytest.raises(AssetsFileError, match="is larger than 1048576 bytes; declare fewer assets"):
        load_assets(file)
