"""`assets`: listed, added, removed and imported."""

from pathlib import Path
from typing import Any

import pytest

from financehub_shared.core.models import Asset, AssetType
from financehub_shared.market.redis_store import RedisStore
from support.store_contract import quote


def test_assets_are_listed_by_type_and_activity(cli: Any, invoke: Any, store: RedisStore):
    """Active assets are listed unless all are asked for."""
    assert [row["symbol"] for row in cli("assets", "list")] == ["AAPL", "BTC-USD"]
    assert [row["symbol"] for row in cli("assets", "list", "--all", "--type", "stock")] == ["AAPL", "OLD"]
    assert cli("assets", "list", "--type", "crypto") == [
        {
            "symbol": "BTC-USD",
            "type": "crypto",
            "name": "Bitcoin",
            "currency": "USD",
            "active": True,
            "declared": False,
            "providers": {},
        }
    ]
    assert "Bitcoin" in invoke("assets", "list").stdout


def test_an_asset_is_added_and_changed(cli: Any, store: RedisStore):
    """What is added is stored as an asset of the CLI, and adding it again changes it."""
    cli("assets", "add", "sol-usd", "--type", "crypto", "--name", "Solana", "--provider", "coingecko=solana")
    cli("assets", "add", "SOL-USD", "--type", "crypto", "--provider", "kraken=SOLUSD", "--inactive")
    stored = {asset.symbol: asset for asset in store.assets(active_only=False)}
    assert stored["SOL-USD"] == Asset("SOL-USD", AssetType.CRYPTO, active=False, provider_symbols={"kraken": "SOLUSD"})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["VOD.L", "--type", "stock"], "set its currency"),
        (["BTC", "--type", "crypto"], "write BTC-USD"),
        (["X", "--type", "stock", "--provider", "yahooo=X"], "did you mean 'yahoo'?"),
        (["X", "--type", "stock", "--provider", "yahoo"], "write it as NAME=SYMBOL"),
        (["AAPL", "--type", "stock"], "declared in the assets file"),
        (["X", "--type", "bond"], "'bond'"),
        (["X"], "--type"),
    ],
)
def test_a_wrong_asset_is_refused_with_2(invoke: Any, store: RedisStore, arguments: list[str], problem: str):
    """What cannot be fetched, or belongs to the file, is not stored, and the message says how to mend it."""
    before = store.assets(active_only=False)
    done = invoke("assets", "add", *arguments)
    assert done.exit_code == 2
    assert problem in done.stderr
    assert store.assets(active_only=False) == before


def test_removing_takes_the_data_along_and_leaves_declared_assets(cli: Any, invoke: Any, store: RedisStore):
    """An asset goes with its quote; one that the file declares is refused, and then nothing goes."""
    store.put_quotes([quote("BTC-USD")])
    refused = invoke("assets", "remove", "BTC-USD", "AAPL")
    assert refused.exit_code == 2
    assert "AAPL: declared in the assets file, which would undo it; remove it there" in refused.stderr
    assert cli("assets", "remove", "btc-usd") == {"removed": ["BTC-USD"]}
    assert store.quotes() == {}
    assert [asset.symbol for asset in store.assets(active_only=False)] == ["AAPL", "OLD"]


def test_importing_writes_what_differs(cli: Any, store: RedisStore, tmp_path: Path):
    """A dry run tells what an import does; assets of the file stay the file's."""
    file = tmp_path / "assets.yaml"
    file.write_text(
        "assets:\n"
        "- {symbol: BTC-USD, type: crypto, name: Bitcoin}\n"
        "- {symbol: ETH-USD, type: crypto}\n"
        "- {symbol: AAPL, type: stock, name: Changed}\n"
    )
    expected = {"written": ["ETH-USD"], "unchanged": ["BTC-USD"], "declared": ["AAPL"]}
    assert cli("assets", "import", file, "--dry-run") == expected | {"dry_run": True}
    assert len(store.assets()) == 2
    assert cli("assets", "import", file) == expected | {"dry_run": False}
    assert [(asset.symbol, asset.name) for asset in store.assets()] == [
        ("AAPL", "Apple"),
        ("BTC-USD", "Bitcoin"),
        ("ETH-USD", ""),
    ]


def test_a_wrong_file_is_refused_whole_with_every_mistake(invoke: Any, store: RedisStore, tmp_path: Path):
    """One line per mistake with file and line, exit code 2, nothing written."""
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n- {symbol: ETH-USD, type: crypto}\n- {symbol: eth, type: coin}\n")
    done = invoke("assets", "import", file)
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert [line.startswith(f"financehub: {file}:3: ") for line in lines] == [True, True]
    assert len(store.assets()) == 2
