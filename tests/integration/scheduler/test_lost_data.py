"""Everything that is declared returns after Redis has lost it, wholly or in part (F8)."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.core.claims import Claims
from financehub_scheduler.declared_assets import _STEPS_FOR_THE_OTHER, DeclaredAssets
from financehub_scheduler.redis.registry import Registration, Removal
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules
from support.hand_driven import Scheduler
from support.schedules import UID, schedule

OLD = "assets:\n  - {symbol: BTC-USD, type: crypto}\n  - {symbol: AAPL, type: stock, name: Apple}\n"
NEW = OLD + "  - {symbol: ETH-USD, type: crypto}\n"
BY_HAND = Asset("SOL-USD", AssetType.CRYPTO)


class Rig:
    """Schedulers with different files, on one Redis."""

    def __init__(self, client: redis.Redis, folder: Path) -> None:
        self.client = client
        self.store = RedisStore(client)
        self._folder = folder
        self._count = 0

    def start(self, text: str) -> DeclaredAssets:
        """Return a scheduler with an assets file of this text, after its first step."""
        self._count += 1
        file = self._folder / f"assets-{self._count}.yaml"
        file.write_text(text)
        assets = DeclaredAssets(self.store, file)
        assets.step()
        return assets

    def symbols(self) -> set[str]:
        """Return the symbols of all stored assets."""
        return {asset.symbol for asset in self.store.assets(active_only=False)}

    def dump(self) -> dict[bytes, bytes]:
        """Return a snapshot of the whole Redis, as an RDB file contains it."""
        found = {key: self.client.dump(key) for key in self.client.keys("*")}
        return {key: value for key, value in found.items() if value is not None}

    def load(self, snapshot: dict[bytes, bytes]) -> None:
        """Replace the whole Redis by a snapshot."""
        self.client.flushall()
        for key, value in snapshot.items():
            self.client.restore(key, 0, value)


@pytest.fixture
def rig(redis_client: redis.Redis, tmp_path: Path) -> Rig:
    """A Redis without data."""
    return Rig(redis_client, tmp_path)


LOSSES: dict[str, Callable[[redis.Redis], object]] = {
    "everything": lambda client: client.flushall(),
    "the key of all assets": lambda client: client.unlink(keys.ASSETS),
    "all keys of assets": lambda client: client.unlink(keys.ASSETS, keys.DECLARED_SET),
    "the record of the set": lambda client: client.unlink(keys.DECLARED_SET),
    "one asset": lambda client: client.hdel(keys.ASSETS, "AAPL"),
    "one damaged asset": lambda client: client.hset(keys.ASSETS, "AAPL", "\xff"),
    "one changed asset": lambda client: client.hset(keys.ASSETS, "AAPL", client.hget(keys.ASSETS, "BTC-USD")),
    "an asset that is no longer declared": lambda client: client.hset(
        keys.ASSETS, "GONE-USD", client.hget(keys.ASSETS, "BTC-USD")
    ),
    "a key of another type": lambda client: (client.unlink(keys.ASSETS), client.set(keys.ASSETS, "x")),
    "a record of another type": lambda client: (client.unlink(keys.DECLARED_SET), client.lpush(keys.DECLARED_SET, "x")),
    "a damaged record": lambda client: client.set(keys.DECLARED_SET, b'{"digest": "\xff'),
    "a foreign record": lambda client: client.set(keys.DECLARED_SET, '{"digest": [1], "at": "never"}'),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_step_after_a_loss_restores_exactly_the_declared_assets(rig: Rig, loss: str):
    """One step restores what the file declares. The next step finds nothing to do."""
    assets = rig.start(OLD)
    declared = rig.client.hgetall(keys.ASSETS)
    for _ in range(2):
        LOSSES[loss](rig.client)
        with capture_logs() as logs:
            assets.step()
        assert [entry["event"] for entry in logs if entry["event"] == "declared_assets_lost"] == [
            "declared_assets_lost"
        ]
        assert rig.client.hgetall(keys.ASSETS) == declared
        with capture_logs() as logs:
            assert not assets.step()
        assert logs == []


def test_step_without_a_loss_writes_nothing(rig: Rig):
    """A step only reads as long as the store has the declared assets."""
    assets = rig.start(OLD)
    rig.store.put_assets([BY_HAND])
    before = rig.dump()
    for _ in range(3):
        assets.step()
    assert rig.dump() == before


def test_step_after_an_older_snapshot_restores_the_newer_file(rig: Rig):
    """A snapshot from before a change of the file, such as an RDB of an hour ago, does not undo the change."""
    assets = rig.start(OLD)
    snapshot = rig.dump()
    newer = rig.start(NEW)
    rig.load(snapshot)
    newer.step()
    assert rig.symbols() == {"BTC-USD", "AAPL", "ETH-USD"}
    # the scheduler with the older file does not take it back
    for _ in range(_STEPS_FOR_THE_OTHER + 2):
        assets.step()
        newer.step()
    assert rig.symbols() == {"BTC-USD", "AAPL", "ETH-USD"}


def test_step_after_another_scheduler_wrote_a_newer_file_changes_nothing(rig: Rig):
    """During a rollout, the scheduler with the old file does not write deleted assets again."""
    older, newer = rig.start(NEW), rig.start(OLD)
    for _ in range(_STEPS_FOR_THE_OTHER + 2):
        older.step()
        newer.step()
    assert rig.symbols() == {"BTC-USD", "AAPL"}


def test_step_after_a_loss_during_a_rollout_restores_the_newer_file(rig: Rig):
    """The scheduler that wrote last restores its assets. Another one does so only if the first has ended."""
    older, newer = rig.start(OLD), rig.start(NEW)
    older.step()
    rig.client.flushall()
    older.step()
    newer.step()
    older.step()
    assert rig.symbols() == {"BTC-USD", "AAPL", "ETH-USD"}
    rig.client.flushall()
    for _ in range(_STEPS_FOR_THE_OTHER + 1):
        older.step()
    assert rig.symbols() == {"BTC-USD", "AAPL"}


def test_assets_of_the_cli_do_not_return(rig: Rig):
    """An asset that was added by hand exists only in Redis, as the README says."""
    assets = rig.start(OLD)
    rig.store.put_assets([BY_HAND])
    rig.client.flushall()
    assets.step()
    assert rig.symbols() == {"BTC-USD", "AAPL"}


OTHER_UID = "00000000-0000-4000-8000-000000000002"
SCHEDULE_LOSSES: dict[str, Callable[[redis.Redis], object]] = {
    "everything": lambda client: client.flushall(),
    "claims": lambda client: client.unlink(keys.SCHEDULES),
    "one claim": lambda client: client.zrem(keys.SCHEDULES, UID),
    "record": lambda client: client.unlink(keys.schedule(UID)),
    "fields of the record": lambda client: client.hdel(keys.schedule(UID), "fingerprint"),
    "high-water marks": lambda client: client.unlink(keys.HIGH_WATER_MARKS),
}


@pytest.fixture(params=[False, True], ids=["active", "suspended"])
def suspended(request: pytest.FixtureRequest) -> bool:
    """Whether the schedule is suspended. A suspended one is never due, so only a check can find its loss."""
    return request.param


@pytest.mark.parametrize("loss", SCHEDULE_LOSSES)
async def test_claim_after_a_loss_restores_the_schedule(scheduler: Scheduler, loss: str, suspended: bool):
    """A lost schedule is listed again with its spec and its mark, and no due time is repeated or left out."""
    await scheduler.load(schedule(suspend=suspended))
    await scheduler.publisher.step()
    await scheduler.pass_time(60)
    mark = scheduler.client.hget(keys.HIGH_WATER_MARKS, UID)
    SCHEDULE_LOSSES[loss](scheduler.client)
    parts = scheduler.registry, scheduler.engine, scheduler.publisher, scheduler.engine.states, scheduler.clock
    with capture_logs() as logs:
        await Claims(*parts).renew()
    assert [(line["event"], line["count"]) for line in logs] == [("schedules_lost", 1)]
    await scheduler.step_until_idle()
    await scheduler.publisher.step()
    (listed,) = list_schedules(scheduler.client)
    assert (listed.name, listed.suspended, bool(listed.next_times)) == ("default/demo", suspended, not suspended)
    assert scheduler.client.hget(keys.HIGH_WATER_MARKS, UID) == mark
    assert await scheduler.registry.claim(list(scheduler.engine.states), scheduler.clock.now()) == []
    scheduler.client.unlink("dramatiq:q", "dramatiq:q.msgs")
    await scheduler.pass_time(60)
    assert scheduler.due() == ([] if suspended else [120.0])


@pytest.mark.parametrize("new_first", [False, True], ids=["known first", "new first"])
async def test_register_after_a_loss_of_names_gives_a_name_to_the_newest_schedule(
    scheduler: Scheduler, new_first: bool
):
    """If a schedule was created again under a new uid, its name leads to the new one, in any order of a batch."""
    now = scheduler.clock.now()
    known, new = (Registration(schedule(uid=uid), now, True) for uid in (UID, OTHER_UID))
    await scheduler.registry.register([known], now)
    scheduler.client.unlink(keys.SCHEDULE_NAMES)
    await scheduler.registry.register([new, known] if new_first else [known, new], now)
    assert scheduler.client.hget(keys.SCHEDULE_NAMES, "default/demo") == OTHER_UID.encode()
    assert scheduler.client.zcard(keys.SCHEDULES) == 2


async def test_claim_after_a_deletion_by_another_scheduler_restores_nothing(scheduler: Scheduler):
    """A deleted schedule has a tombstone, which shows that Redis has not lost it."""
    await scheduler.load(schedule())
    await scheduler.registry.unregister({UID: Removal(scheduler.clock.now())})
    assert await scheduler.registry.claim([UID], scheduler.clock.now()) == []


@pytest.mark.parametrize("has_run_the_earlier_spec", [True, False])
@pytest.mark.parametrize("spec", [{"schedule": "0 0 1 1 *"}, {"suspend": True}], ids=["rarely due", "suspended"])
async def test_claim_after_a_failover_that_lost_an_edit_registers_it_again(
    scheduler: Scheduler, second: Scheduler, spec: dict[str, object], has_run_the_earlier_spec: bool
) -> None:
    """A schedule that is not due soon shows the lost edit within half a minute, and not at its next due time.

    A scheduler that has just started has not run the earlier spec, but has replaced it.
    """
    client = scheduler.client
    await (scheduler if has_run_the_earlier_spec else second).load(schedule(**spec))
    before = {key: client.dump(key) for key in client.keys("*")}
    await scheduler.load(schedule(**spec, retries=1), keep_known_state=False)
    await scheduler.load(schedule(**spec, retries=2), keep_known_state=False)
    newest = scheduler.field(UID, "fingerprint")
    client.flushall()
    for key, value in before.items():
        client.restore(key, 0, value)
    assert scheduler.field(UID, "fingerprint") != newest
    parts = scheduler.registry, scheduler.engine, scheduler.publisher, scheduler.engine.states, scheduler.clock
    with capture_logs() as logs:
        await Claims(*parts).renew()
    assert [(line["event"], line["count"]) for line in logs] == [("edits_lost", 1)]
    await scheduler.step_until_idle()
    assert scheduler.field(UID, "fingerprint") == newest


async def test_claim_after_a_failover_that_lost_a_creation_registers_it_again(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """Redis then has an older record with the same uid, which nobody had claimed for long before the creation."""
    client = scheduler.client
    await scheduler.load(schedule(schedule="0 0 1 1 *"))
    before = {key: client.dump(key) for key in client.keys("*")}
    scheduler.clock.advance(200.0)
    await second.load(schedule(schedule="0 0 1 1 *", retries=1), keep_known_state=False)
    newest = second.field(UID, "fingerprint")
    client.flushall()
    for key, value in before.items():
        client.restore(key, 0, value)
    assert second.field(UID, "fingerprint") != newest
    await Claims(second.registry, second.engine, second.publisher, second.engine.states, second.clock).renew()
    await second.step_until_idle()
    assert second.field(UID, "fingerprint") == newest


async def test_claim_of_a_scheduler_without_its_source_does_not_undo_a_return_to_an_earlier_spec(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """Redis has a spec that this scheduler has replaced. A user has gone back to it, which its source does not report,
    because it is cut off from the API server.
    """
    every_minute = {"schedule": "* * * * *"}
    for each in (scheduler, second):
        await each.load(schedule(**every_minute, suspend=True))
    await scheduler.load(schedule(**every_minute), keep_known_state=False)
    await second.load(schedule(**every_minute), keep_known_state=False)
    scheduler.clock.advance(20)
    await scheduler.load(schedule(**every_minute, suspend=True), keep_known_state=False)
    suspended = scheduler.field(UID, "fingerprint")
    parts = second.registry, second.engine, second.publisher, second.engine.states, second.clock
    await Claims(*parts).renew()
    await second.step_until_idle()
    await second.pass_time(60)
    assert scheduler.field(UID, "fingerprint") == suspended
    assert scheduler.due() == []
