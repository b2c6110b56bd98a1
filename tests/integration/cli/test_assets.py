"""Tests of the `assets` commands: list, add, remove and import."""

from pathlib import Path
from typing import Any

import pytest

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from support.market_data import quote


def test_assets_list_filters_by_type_and_activity(cli: Any, invoke: Any, store: RedisStore):
    """`assets list` shows the active assets. --all includes inactive ones, and --type selects one type."""
    assert [row["symbol"] for row in cli("assets", "list")] == ["AAPL", "BTC-USD"]
    assert [row["symbol"] for row in cli("assets", "list", "--all", "--type", "stock")] == ["AAPL", "OLD"]
    assert cli("assets", "list", "--type", "crypto") == [
        {
            "symbol": "BTC-USD",
            "type": "crypto",
            "kind": "coin",
            "name": "Bitcoin",
            "currency": "USD",
            "active": True,
            "declared": False,
            "providers": {},
            "aliases": [],
            "exchanges": [],
        }
    ]
    assert "Bitcoin" in invoke("assets", "list").stdout


def test_assets_add_twice_replaces_the_asset(cli: Any, store: RedisStore):
    """`assets add` stores an asset under its symbol in upper case, and a second call replaces it."""
    options = ("--no-fetch", "--type", "crypto")
    cli("assets", "add", "sol-usd", *options, "--name", "Solana", "--provider", "coingecko=solana")
    cli("assets", "add", "SOL-USD", *options, "--provider", "kraken=SOLUSD", "--inactive")
    stored = {asset.symbol: asset for asset in store.assets(active_only=False)}
    assert stored["SOL-USD"] == Asset("SOL-USD", AssetType.CRYPTO, active=False, provider_symbols={"kraken": "SOLUSD"})


def test_assets_add_stores_kind_aliases_and_exchanges(cli: Any, invoke: Any, store: RedisStore):
    """Kind, aliases and exchanges are stored and listed, and the currency follows from the exchange (D14)."""
    named = ("--alias", "Vodafone Group", "--alias", "Voda", "--exchange", "lse")
    (added,) = cli("assets", "add", "vod.l", "--type", "stock", "--kind", "equity", *named, "--no-fetch")
    assert (added["kind"], added["currency"], added["aliases"], added["exchanges"], added["first_fetch"]) == (
        *("equity", "GBP"),
        ["Vodafone Group", "Voda"],
        ["LSE"],
        None,
    )
    (stored,) = [asset for asset in store.assets() if asset.symbol == "VOD.L"]
    assert (stored.kind, stored.aliases) == (AssetKind.EQUITY, ("Vodafone Group", "Voda"))
    assert "equity" in invoke("assets", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["BRK.B", "--type", "stock"], "write BRK-B instead of BRK.B"),
        (["btcusd", "--type", "crypto"], "write BTC-USD instead of btcusd"),
        (["tBTCUSD", "--type", "crypto"], "write BTC-USD instead of tBTCUSD"),
        (["BTC/USD", "--type", "stock"], "write BTC-USD and the type crypto"),
        (["DAX", "--type", "stock"], "write ^GDAXI instead of DAX; if you mean a share or a fund of this name, set"),
        (["^MYINDEX", "--type", "stock"], "the currency of ^MYINDEX is unknown; set the currency"),
        (["JPY=X", "--type", "stock", "--currency", "USD"], "JPY=X is priced in JPY"),
        (["BTC", "--type", "crypto"], "write BTC-USD"),
        (["X", "--type", "stock", "--alias", "Y"], "write a name of 2 to 60 characters"),
        (["X", "--type", "stock", "--exchange", "NASDQ"], "did you mean 'NASDAQ'?"),
        (["X", "--type", "stock", "--provider", "yahooo=X"], "did you mean 'yahoo'?"),
        (["X", "--type", "stock", "--provider", "yahoo"], "write it as NAME=SYMBOL"),
        (["AAPL", "--type", "stock"], "declared in the assets file"),
        (["X", "--type", "bond"], "'bond'"),
        (["X", "--type", "stock", "--kind", "etf"], "'etf'"),
        (["X"], "--type"),
    ],
)
def test_assets_add_with_invalid_asset_exits_with_2(invoke: Any, store: RedisStore, arguments: list[str], problem: str):
    """An invalid asset, or one that is declared in the assets file, is not stored. The message says how to fix it."""
    before = store.assets(active_only=False)
    result = invoke("assets", "add", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert store.assets(active_only=False) == before


def test_assets_remove_deletes_data_and_refuses_declared_assets(cli: Any, invoke: Any, store: RedisStore):
    """An asset is removed with its quote. If one of the assets is declared in the file, none is removed."""
    store.put_quotes([quote("BTC-USD")])
    refused = invoke("assets", "remove", "BTC-USD", "AAPL")
    assert refused.exit_code == 2
    assert "AAPL: declared in the assets file, which would undo this change; remove it there" in refused.stderr
    assert cli("assets", "remove", "btc-usd") == {"removed": ["BTC-USD"]}
    assert store.quotes() == {}
    assert [asset.symbol for asset in store.assets(active_only=False)] == ["AAPL", "OLD"]


def test_assets_import_writes_only_changed_assets(cli: Any, invoke: Any, store: RedisStore, tmp_path: Path):
    """A dry run reports the same changes as the import without writing them. Declared assets stay unchanged."""
    file = tmp_path / "assets.yaml"
    file.write_text(
        "assets:\n"
        "- {symbol: BTC-USD, type: crypto, name: Bitcoin}\n"
        "- {symbol: ETH-USD, type: crypto}\n"
        "- {symbol: AAPL, type: stock, name: Changed}\n"
    )
    expected = {"written": ["ETH-USD"], "unchanged": ["BTC-USD"], "declared": ["AAPL"], "newer": []}
    assert cli("assets", "import", file, "--dry-run") == expected | {"dry_run": True}
    assert (
        "not changed, because the assets file declares them: AAPL"
        in invoke("assets", "import", file, "--dry-run").stderr
    )
    assert len(store.assets()) == 2
    assert cli("assets", "import", file) == expected | {"dry_run": False}
    assert [(asset.symbol, asset.name) for asset in store.assets()] == [
        ("AAPL", "Apple"),
        ("BTC-USD", "Bitcoin"),
        ("ETH-USD", ""),
    ]


def test_assets_import_with_invalid_file_reports_every_mistake(invoke: Any, store: RedisStore, tmp_path: Path):
    """Each mistake is one line with file and line number, the exit code is 2, and nothing is written."""
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n- {symbol: ETH-USD, type: crypto}\n- {symbol: Ether Coin, type: coin}\n")
    result = invoke("assets", "import", file)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert [line.startswith(f"financehub: {file}:3: ") for line in lines] == [True, True]
    assert len(store.assets()) == 2
