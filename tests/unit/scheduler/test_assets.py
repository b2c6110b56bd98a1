"""Declared assets in the store, and schedules that name assets."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.declared_assets import Assets
from financehub_shared.core.errors import CorruptDataError, StoreUnavailableError
from financehub_shared.core.models import Asset, AssetType
from support.memory_store import MemoryStore
from support.schedules import schedule

TASK = "fetch_crypto_prices_task"
BTC = Asset("BTC-USD", AssetType.CRYPTO)
AAPL = Asset("AAPL", AssetType.STOCK)
OLD = Asset("OLD-USD", AssetType.CRYPTO, active=False)


class FaultyStore(MemoryStore):
    """A store that fails while it has a fault."""

    fault: Exception | None = None

    def assets(self, type: AssetType | None = None, *, active_only: bool = True) -> list[Asset]:
        if self.fault:
            raise self.fault
        return super().assets(type, active_only=active_only)


@pytest.fixture
def store() -> FaultyStore:
    store = FaultyStore()
    store.put_assets([BTC, AAPL, OLD])
    return store


@pytest.mark.parametrize(
    ("spec", "says"),
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
def test_symbols_must_name_active_assets_of_the_right_type(store: FaultyStore, spec: dict[str, object], says: str):
    """A schedule of the catalogue is refused with the field named; what other tasks call symbols is theirs."""
    assets = Assets(store, None)
    assets.step()
    refusal = assets.refusal(schedule(**{"task": TASK, **spec}))
    assert says in refusal
    assert bool(says) == bool(refusal)


def test_changes_of_the_store_are_told(store: FaultyStore):
    """A step says whether the store holds something else than before."""
    assets = Assets(store, None)
    assert [assets.step(), assets.step()] == [True, False]
    store.put_assets([Asset("ETH-USD", AssetType.CRYPTO)])
    assert [assets.step(), assets.step()] == [True, False]


@pytest.mark.parametrize("fault", [StoreUnavailableError("away"), CorruptDataError("assets X", "garbled")])
def test_a_store_that_cannot_be_read_changes_nothing(store: FaultyStore, fault: Exception):
    """What was known stays known, the fault is logged once, and before the first reading symbols are refused."""
    named = schedule(task=TASK, kwargs={"symbols": ["BTC-USD"]})
    assets = Assets(store, None)
    store.fault = fault
    with capture_logs() as logs:
        assert [assets.step(), assets.step()] == [False, False]
    assert [entry["event"] for entry in logs] == ["assets_unread"]
    assert not assets.known
    assert assets.refusal(named) == "the assets in the store could not be read yet"
    store.fault = None
    assert assets.step()
    store.fault = fault
    assert not assets.step()
    assert assets.known
    assert assets.refusal(named) == ""


def test_declared_assets_follow_their_file(store: FaultyStore, tmp_path: Path):
    """The file is in force at the first step and after each change; a bad one is logged once and changes nothing."""
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n  - {symbol: ETH-USD, type: crypto}\n")
    assets = Assets(store, file)

    def symbols() -> set[str]:
        assets.step()
        return {asset.symbol for asset in store.assets(active_only=False)}

    own = {"BTC-USD", "AAPL", "OLD-USD"}
    assert symbols() == own | {"ETH-USD"}
    file.write_text("assets: nonsense, and of another length\n")
    with capture_logs() as logs:
        assert symbols() == symbols() == own | {"ETH-USD"}
    assert {entry["event"] for entry in logs} == {"assets_refused"}
    assert assets.known
    file.write_text("assets:\n  - {symbol: SOL-USD, type: crypto}\n")
    assert symbols() == own | {"SOL-USD"}
