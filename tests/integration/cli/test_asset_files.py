"""Tests of `assets export`, `assets import -`, and the confirmation of `assets remove` (C10)."""

from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from support.terminal import TerminalRun, plain

ODD = [
    Asset("ON", AssetType.STOCK, "ON: Semi #1, 'quoted' {x}", exchanges=("NASDAQ",)),
    Asset("SPY", AssetType.STOCK, stated_kind=AssetKind.FUND, active=False),
    Asset("SPOT", AssetType.STOCK, currency="EUR", aliases=("Spotify", "Größe")),
    Asset("ETH-USD", AssetType.CRYPTO, "Ether", provider_symbols={"kraken": "ETHUSD", "coingecko": "ethereum"}),
]


def test_export_and_import_lose_nothing(invoke: Any, store: RedisStore, redis_client: redis.Redis) -> None:
    """What `assets export` prints is read by `assets import -`, and all fields are the same afterwards."""
    store.put_assets(ODD)
    before = {asset.symbol: asset for asset in store.assets(active_only=False)}
    exported = invoke("assets", "export")
    assert (exported.exit_code, exported.stderr) == (0, "")
    redis_client.delete(keys.ASSETS)
    imported = invoke("assets", "import", "-", input=exported.stdout)
    assert (imported.exit_code, imported.stdout) == (0, f"wrote {len(before)}, unchanged 0\n")
    after = {asset.symbol: asset for asset in store.assets(active_only=False)}
    declared = {symbol for symbol, asset in before.items() if asset.declared}
    assert {symbol: asset for symbol, asset in after.items() if symbol not in declared} == {
        symbol: asset for symbol, asset in before.items() if symbol not in declared
    }
    assert after.keys() == before.keys()
    again = invoke("assets", "import", "-", "--json", input=exported.stdout)
    assert '"written": []' in again.stdout


def test_export_of_one_type_has_only_its_entries(cli: Any, store: RedisStore) -> None:
    """The JSON has the same entries as the file, and --type selects them."""
    assert cli("assets", "export", "--type", "crypto") == {
        "assets": [{"symbol": "BTC-USD", "type": "crypto", "name": "Bitcoin"}]
    }
    assert [entry["symbol"] for entry in cli("assets", "export")["assets"]] == ["AAPL", "BTC-USD", "OLD"]


def test_export_names_what_it_cannot_read_or_what_an_import_would_refuse(
    invoke: Any, store: RedisStore, redis_client: redis.Redis
) -> None:
    """A damaged record and an asset of another release are named, all others are exported, and the exit code is 1."""
    redis_client.hset(keys.ASSETS, "BAD", "{")
    store.put_assets([Asset("BRK.B", AssetType.STOCK)])
    result = invoke("assets", "export")
    assert result.exit_code == 1
    assert "financehub:assets BAD: " in result.stderr
    assert "BRK.B: an import refuses or changes it: write BRK-B instead of BRK.B" in result.stderr
    assert "symbol: BTC-USD" in result.stdout


def test_import_from_stdin_reports_every_mistake_with_its_line(invoke: Any, store: RedisStore) -> None:
    """Nothing is written if one line is wrong, and each mistake has its line."""
    text = "assets:\n- {symbol: ETH-USD, type: crypto}\n- {symbol: Ether Coin, type: coin}\n- 7\n"
    result = invoke("assets", "import", "-", input=text)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["stdin:3", "stdin:3", "stdin:4"]
    assert len(store.assets()) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "stdin: is not UTF-8"),
        (b"#" * 1_048_577, "stdin: is larger than"),
        (b"", "stdin:1: expected a mapping"),
    ],
)
def test_import_of_odd_input_is_refused(invoke: Any, store: RedisStore, content: bytes, problem: str) -> None:
    """Bytes that are not UTF-8, too many of them, and none at all are usage errors."""
    result = invoke("assets", "import", "-", input=content)
    assert (result.exit_code, problem in result.stderr) == (2, True)


def test_import_dry_run_from_stdin_changes_nothing(cli: Any, invoke: Any, store: RedisStore) -> None:
    """A dry run says what would be written."""
    text = "assets:\n- {symbol: ETH-USD, type: crypto}\n"
    result = invoke("assets", "import", "-", "--dry-run", input=text)
    assert (result.exit_code, result.stdout) == (0, "would write 1, unchanged 0\n")
    assert len(store.assets()) == 2


@pytest.mark.parametrize(("answer", "code", "is_removed"), [("n\r", 1, False), ("\r", 1, False), ("y\r", 0, True)])
def test_remove_on_a_terminal_asks(redis_url: str, store: RedisStore, answer: str, code: int, is_removed: bool) -> None:
    """On a terminal, the question names the assets, and without a yes nothing is removed."""
    with TerminalRun(["assets", "remove", "btc-usd"], redis_url, columns=100, lines=20) as run:
        run.read_until("Remove BTC-USD with all quotes, bars and indicators? [y/N]")
        run.type(answer)
        assert run.wait() == code
        shown = plain(run.output)
    assert ("canceled; nothing was changed" in shown) != is_removed
    assert ("BTC-USD" not in {asset.symbol for asset in store.assets()}) == is_removed


def test_remove_on_a_terminal_with_yes_does_not_ask(redis_url: str, store: RedisStore) -> None:
    """--yes answers the question."""
    with TerminalRun(["assets", "remove", "BTC-USD", "-y"], redis_url, columns=100, lines=20) as run:
        assert run.wait() == 0
        assert plain(run.output) == "removed BTC-USD\n"


def test_remove_of_an_unknown_symbol_does_not_ask(redis_url: str, store: RedisStore) -> None:
    """A wrong request is refused before any question."""
    with TerminalRun(["assets", "remove", "BTC-USX"], redis_url, columns=100, lines=20) as run:
        assert run.wait() == 2
        assert "did you mean BTC-USD?" in plain(run.output)


def test_import_of_a_missing_file_names_it(invoke: Any, store: RedisStore, tmp_path: Path) -> None:
    """A file that does not exist is a usage error."""
    result = invoke("assets", "import", tmp_path / "missing.yaml")
    assert (result.exit_code, "missing.yaml: No such file" in result.stderr) == (2, True)
