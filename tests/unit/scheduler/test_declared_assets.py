"""Declared assets in the store, and schedules whose arguments name assets."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.declared_assets import DeclaredAssets
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.unreadable import Unreadable
from support.memory_store import MemoryStore
from support.schedules import schedule

TASK = "fetch_crypto_prices_task"
BTC = Asset("BTC-USD", AssetType.CRYPTO)
AAPL = Asset("AAPL", AssetType.STOCK)
OLD = Asset("OLD-USD", AssetType.CRYPTO, active=False)


class FaultyStore(MemoryStore):
    """A store that raises its configured fault, if any."""

    fault: Exception | None = None

    def assets(
        self, type: AssetType | None = None, *, active_only: bool = True, unreadable: Unreadable | None = None
    ) -> list[Asset]:
        if self.fault:
            raise self.fault
        return super().assets(type, active_only=active_only, unreadable=unreadable)


@pytest.fixture
def store() -> FaultyStore:
    store = FaultyStore()
    store.put_assets([BTC, AAPL, OLD])
    return store


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ""),
        ({"kwargs": {"symbols": ["BTC-USD"]}}, ""),
        (
            {"kwargs": {"symbols": ["BTC-USD", "NOPE-USD"]}},
            "fetch_crypto_prices_task: argument 'symbols.1': unknown symbol 'NOPE-USD'",
        ),
        ({"kwargs": {"symbols": ["AAPL"]}}, "'symbols.0': AAPL is a stock asset; this task takes crypto"),
        ({"kwargs": {"symbols": ["OLD-USD"]}}, "'symbols.0': OLD-USD is not active"),
        ({"task": "demo_task", "queue": "q", "kwargs": {"symbols": ["NOPE-USD"]}}, ""),
    ],
)
def test_argument_problem_of_invalid_symbols_names_the_field(
    store: FaultyStore, spec: dict[str, object], expected: str
):
    """Symbols of a catalog task must be active assets of the right type. Other tasks may use the argument freely."""
    assets = DeclaredAssets(store, None)
    assets.step()
    problem = assets.argument_problem(schedule(**{"task": TASK, **spec}))
    assert expected in problem
    assert bool(expected) == bool(problem)


def test_step_after_a_change_of_the_store_returns_true(store: FaultyStore):
    """A step returns whether the store's assets have changed."""
    assets = DeclaredAssets(store, None)
    assert [assets.step(), assets.step()] == [True, False]
    store.put_assets([Asset("ETH-USD", AssetType.CRYPTO)])
    assert [assets.step(), assets.step()] == [True, False]


def test_step_with_unavailable_store_changes_nothing(store: FaultyStore):
    """Known assets remain known, the fault is logged once, and symbols are refused until the first successful read."""
    named = schedule(task=TASK, kwargs={"symbols": ["BTC-USD"]})
    assets = DeclaredAssets(store, None)
    store.fault = fault = StoreUnavailableError("unavailable")
    with capture_logs() as logs:
        assert [assets.step(), assets.step()] == [False, False]
    assert [entry["event"] for entry in logs] == ["assets_read_failed"]
    assert not assets.known
    assert assets.argument_problem(named) == "the assets in the store could not be read yet"
    store.fault = None
    assert assets.step()
    store.fault = fault
    assert not assets.step()
    assert assets.known
    assert assets.argument_problem(named) == ""


def test_step_after_a_change_of_the_file_reconciles_the_store(store: FaultyStore, tmp_path: Path):
    """The file takes effect at the first step and at each change. An invalid file is logged once and ignored."""
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n  - {symbol: ETH-USD, type: crypto}\n")
    assets = DeclaredAssets(store, file)

    def symbols() -> set[str]:
        assets.step()
        return {asset.symbol for asset in store.assets(active_only=False)}

    undeclared = {"BTC-USD", "AAPL", "OLD-USD"}
    assert symbols() == undeclared | {"ETH-USD"}
    file.write_text("assets: nonsense, and of another length\n")
    with capture_logs() as logs:
        assert symbols() == symbols() == undeclared | {"ETH-USD"}
    assert {entry["event"] for entry in logs} == {"assets_refused"}
    assert assets.known
    file.write_text("assets:\n  - {symbol: SOL-USD, type: crypto}\n")
    assert symbols() == undeclared | {"SOL-USD"}


#: Contents that an assets file may have by mistake, or while something goes wrong.
_BAD_FILES: dict[str, bytes | None] = {
    "empty": b"",
    "blank": b"\n \n",
    "only a comment": b"# assets: []\n",
    "null": b"assets:\n",
    "a map": b"assets: {}\n",
    "a map by symbol": b"assets: {ETH-USD: {type: crypto}}\n",
    "a text": b"assets: ETH-USD\n",
    "only the list": b"- {symbol: ETH-USD, type: crypto}\n",
    "an empty list": b"[]\n",
    "an empty document": b"---\n...\n",
    "a null entry": b"assets: [null]\n",
    "another key": b"asset: []\n",
    "cut off": b"assets:\n  - {symbol: ETH-USD, typ",
    "not YAML": b"assets: [}\n",
    "not text": b"\xff\xfe\x00assets: []",
    "with zeros": bytes(4096),
    "one wrong entry": b"assets: [{symbol: ETH-USD, type: crypto}, {symbol: BRK.B, type: stock}]\n",
    "an asset twice": b"assets: [{symbol: ETH-USD, type: crypto}, {symbol: ETH-USD, type: crypto}]\n",
    "too large": b"# " + b"x" * 1_048_576 + b"\nassets: []\n",
    "absent": None,
}


@pytest.mark.parametrize("name", _BAD_FILES)
def test_step_with_a_bad_file_keeps_all_assets(store: FaultyStore, tmp_path: Path, name: str):
    """A bad file is logged once and changes nothing, also for a scheduler that starts with it."""
    file = tmp_path / "assets.yaml"
    file.write_text("assets: [{symbol: SOL-USD, type: crypto}, {symbol: MSFT, type: stock}]\n")
    running = DeclaredAssets(store, file)
    running.step()
    before = store.assets(active_only=False)
    assert len(before) == 5
    if (content := _BAD_FILES[name]) is None:
        file.unlink()
    else:
        file.write_bytes(content)
    for assets in (running, DeclaredAssets(store, file)):
        with capture_logs() as logs:
            assets.step()
            assets.step()
        assert {entry["event"] for entry in logs} == {"assets_refused"}
        assert assets.known
        assert store.assets(active_only=False) == before
    file.write_text("assets: [{symbol: SOL-USD, type: crypto}]\n")
    running.step()
    assert {asset.symbol for asset in store.assets(active_only=False)} == {"BTC-USD", "AAPL", "OLD-USD", "SOL-USD"}


def test_step_with_an_empty_list_removes_the_declared_assets(store: FaultyStore, tmp_path: Path):
    """Only an explicit `assets: []` declares that there are none. Assets that were added otherwise stay."""
    file = tmp_path / "assets.yaml"
    file.write_text("assets: [{symbol: SOL-USD, type: crypto}]\n")
    assets = DeclaredAssets(store, file)
    assets.step()
    file.write_text("assets: []\n")
    assets.step()
    assert {asset.symbol for asset in store.assets(active_only=False)} == {"BTC-USD", "AAPL", "OLD-USD"}
