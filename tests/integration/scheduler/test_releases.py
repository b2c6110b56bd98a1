"""A scheduler of the release before issue 14 beside a current one, on one Redis, as during an update of the fleet."""

import random
from collections import Counter

import pytest
import redis

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.redis import keys
from financehub_shared.schedules import show_schedule
from support.earlier_release import EarlierScheduler
from support.hand_driven import Scheduler, T
from support.schedules import UID, messages, schedule

LINES = ["@every 20s", "@every 30s", "@every 7s", "* * * * *"]


@pytest.fixture
def earlier(redis_client: "redis.Redis") -> EarlierScheduler:
    """A scheduler of the earlier release."""
    return EarlierScheduler(redis_client)


class Messages:
    """Counts the runs of each due time."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self.found: Counter[float] = Counter()

    def take(self) -> None:
        """Take all messages out of the queue."""
        self.found.update(each["options"]["due_at"] / 1000 for each in messages(self._client))
        self._client.delete("dramatiq:q", "dramatiq:q.msgs")


@pytest.mark.parametrize("seed", range(15))
async def test_two_releases_lose_and_repeat_no_run(scheduler: Scheduler, earlier: EarlierScheduler, seed: int) -> None:
    """While both run, each due time of each spec from its edit to the next one runs once, whichever of them enqueues
    it. The current release registers the edits, and the earlier one learns of them later.
    """
    chance, taken = random.Random(seed), Messages(scheduler.client)
    spec, since = schedule(concurrencyPolicy="Allow"), scheduler.clock.now()
    expected: Counter[float] = Counter()
    specs: list[Schedule] = [spec]
    await scheduler.load(spec)
    assert earlier.load(spec, scheduler.clock.now()) == "known"
    for _ in range(300):
        await scheduler.pass_time(0.5)
        earlier.step(scheduler.clock.now())
        taken.take()
        if chance.random() < 0.08:
            expected.update(spec.recurrence.due_times(since, scheduler.clock.now()))
            since, jitter = scheduler.clock.now(), chance.choice([0, 5, 60, 300])
            spec = schedule(concurrencyPolicy="Allow", schedule=chance.choice(LINES), jitterSeconds=jitter)
            specs.append(spec)
            await scheduler.load(spec)
        elif chance.random() < 0.1:
            assert earlier.load(spec, scheduler.clock.now()) == "known"
    expected.update(spec.recurrence.due_times(since, end := scheduler.clock.now()))
    await scheduler.load(schedule(concurrencyPolicy="Allow", schedule="@yearly"))
    for _ in range(310):
        await scheduler.pass_time(1)
        taken.take()
    found = Counter({due: count for due, count in taken.found.items() if due <= end})
    assert set(found.values()) == {1}
    assert not expected.keys() - found.keys()
    # The earlier release also runs due times of the new spec whose jitter ends after the edit.
    yielded = {due for each in specs for due in each.recurrence.due_times(T, end)}
    assert not found.keys() - yielded


async def test_edit_by_the_earlier_release_is_adopted(scheduler: Scheduler, earlier: EarlierScheduler) -> None:
    """What an earlier edit has kept does not count after an edit by the earlier release, and nothing runs twice."""
    await scheduler.load(schedule(jitterSeconds=50))
    await scheduler.pass_time(62)
    await scheduler.load(schedule(jitterSeconds=50, retries=1))
    await scheduler.pass_time(1)
    edited = schedule(jitterSeconds=50, retries=2)
    assert earlier.load(edited, scheduler.clock.now()) == "changed"
    await scheduler.load(edited)
    taken = Messages(scheduler.client)
    for _ in range(120):
        await scheduler.pass_time(1)
        earlier.step(scheduler.clock.now())
        taken.take()
    assert taken.found == {T + 60: 1, T + 120: 1}


@pytest.mark.parametrize(("catch_up", "caught_up"), [("None", []), ("Latest", [180]), ("All", [120, 180])])
async def test_schedule_that_the_earlier_release_refuses_resumes(
    scheduler: Scheduler, earlier: EarlierScheduler, catch_up: str, caught_up: list[float]
) -> None:
    """A spec with a new field is deactivated by the earlier release. As soon as its source has confirmed the spec, the
    current release resumes it, and what was due in between is caught up on like after downtime.
    """
    new = schedule(concurrencyPolicy="Allow", catchUp=catch_up, exclude=[{"dates": ["2027-06-01"]}])
    await scheduler.load(new)
    await scheduler.pass_time(60)
    earlier.refuse(UID)
    for _ in range(2):
        await scheduler.pass_time(60)
    assert scheduler.due() == [60]
    await scheduler.pass_time(30)
    scheduler.engine.reregister_superseded(scheduler.clock.monotonic())
    await scheduler.step_until_idle()
    assert scheduler.due() == [60, *caught_up]
    await scheduler.pass_time(30)
    await scheduler.publisher.step()
    assert scheduler.due() == [60, *caught_up, 240]
    assert int(scheduler.field(UID, "missed") or 0) == 2 - len(caught_up)
    assert show_schedule(scheduler.client, "demo").problem == ""


async def test_schedule_that_both_refuse_stays_deactivated(scheduler: Scheduler, earlier: EarlierScheduler) -> None:
    """A scheduler whose source has not confirmed the spec does not revive it."""
    await scheduler.load(schedule(concurrencyPolicy="Allow"))
    earlier.refuse(UID)
    await scheduler.pass_time(60)
    scheduler.engine.reregister_superseded(scheduler.clock.monotonic() - 1)
    await scheduler.pass_time(60)
    assert scheduler.due() == []
    assert scheduler.client.hget(keys.schedule(UID), "fingerprint") == b"deactivated"


async def test_new_fields_of_the_record_survive_the_earlier_release(
    scheduler: Scheduler, earlier: EarlierScheduler
) -> None:
    """The earlier release neither reads nor removes the pending due times, and both settle them once."""
    await scheduler.load(schedule(jitterSeconds=50))
    await scheduler.pass_time(62)
    edited = schedule(jitterSeconds=50, schedule="@yearly")
    await scheduler.load(edited)
    assert earlier.load(edited, scheduler.clock.now()) == "known"
    pending = scheduler.field(UID, "pending")
    assert pending is not None
    assert pending.endswith(f" {round(T + 60) * 1000}")
    await scheduler.pass_time(60)
    earlier.step(scheduler.clock.now())
    assert scheduler.due() == [60]
