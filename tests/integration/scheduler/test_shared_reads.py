"""Tests of what every scheduler sees, on a real Redis: its owner acts first, the others rarely, and nothing is left."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.claims import ROUNDS
from financehub_scheduler.redis.registry import CLAIM_INTERVAL_SECONDS
from financehub_shared.redis import keys
from financehub_shared.schedules import UNCLAIMED_SECONDS, request_backfill, request_trigger, show_backfill
from support.hand_driven import Scheduler, T
from support.schedules import UID, messages, schedule
from support.shared_fleet import Work, allow, by_rank, claims, join, load, many, pass_time

SECONDS, COUNT = 60, 75


async def act(*schedulers: Scheduler) -> None:
    """Do what each scheduler does once a second."""
    for each in schedulers:
        await each.membership.step()
        await each.on_demand.step()
        await each.pauses.step()
        await each.followers.step()


async def pass_seconds(schedulers: list[Scheduler], seconds: int) -> None:
    """Let the seconds pass one by one, in steps shorter than the time after which runs are taken over."""
    for _ in range(seconds):
        for _ in range(4):
            await pass_time(schedulers, 0.25)
        await act(*schedulers)


async def cost(schedulers: list[Scheduler], schedules: list[Any]) -> int:
    """Return the number of commands of a minute, those in scripts included."""
    client, work = schedulers[0].client, Work(schedulers[0].client)
    for each in schedulers:
        each.engine.apply(Changes(removed=list(each.engine.states)))
        await each.step_until_idle()
    client.flushall()
    for each in schedulers:
        each.clock.set_wall(T + 0.5)
        await each.load(*schedules)
    await join(*schedulers)
    renewals = [claims(each) for each in schedulers]
    await pass_seconds(schedulers, 46)
    work.restart()
    for second in range(SECONDS):
        await pass_seconds(schedulers, 1)
        for each, renewal in zip(schedulers, renewals, strict=True):
            if second % 2:
                await each.publisher.step()
            if second % CLAIM_INTERVAL_SECONDS == 7:
                await renewal.renew()
    return work.commands()


async def test_work_of_three_schedulers_costs_redis_what_that_of_one_costs(fleet: list[Scheduler]) -> None:
    """Except for the commands that each scheduler sends for a single follower, the others add less than 10%.

    Half of the schedules have a buffered run that waits, and some follow others.
    """
    predecessors = many(COUNT, schedule="@every 20s")
    waiting = many(2 * COUNT, schedule="@every 20s", concurrencyPolicy="BufferOne")[COUNT:]
    uid = "5d1c1a64-8a63-5a0e-9b0b-{:012d}".format
    followers = [schedule(f"f{number}", uid(number), after=f"s{number}") for number in range(COUNT // 10)]
    idle = await cost(fleet[:1], [*many(1, schedule="0 0 1 1 *"), followers[0]])
    one, *others = [await cost(fleet[:size], [*predecessors, *waiting, *followers]) - size * idle for size in (1, 2, 3)]
    assert fleet[0].client.hlen(keys.SCHEDULES_BUFFERED) == COUNT
    assert len(messages(fleet[0].client)) >= 4 * COUNT
    assert idle < 60 * SECONDS
    assert one > 100 * COUNT
    assert max(others) <= 1.1 * one, (idle, one, others)


async def test_claims_of_a_dead_owner_are_renewed_by_the_others_in_time(fleet: list[Scheduler]) -> None:
    """While the owner works, the others only look. If it stops, they renew its claim before it ends."""
    await load(fleet, schedule(**allow()))
    owner, second, third = by_rank(fleet)
    redis_client, renewals = owner.client, {each.shares.id: claims(each) for each in fleet}

    async def renew(*schedulers: Scheduler) -> None:
        for each in schedulers:
            await renewals[each.shares.id].renew()

    await renew(owner, second, third)
    await pass_time(fleet, CLAIM_INTERVAL_SECONDS)
    work = Work(redis_client)
    await renew(owner)
    work.restart()
    await renew(second, third)
    assert (work.calls("zmscore"), work.calls("hget"), work.calls("zadd")) == (2, 0, 0)
    ages = []
    for _ in range(5):
        await pass_time([second, third], CLAIM_INTERVAL_SECONDS)
        ages.append(second.clock.now() - float(redis_client.zscore(keys.SCHEDULES, UID) or 0))
        await renew(second, third)
    assert max(ages) < UNCLAIMED_SECONDS


async def test_others_find_a_schedule_that_the_owner_does_not_restore(fleet: list[Scheduler]) -> None:
    """If Redis has lost a schedule and its owner does not have it, the next renewal of another one restores it."""
    await load(fleet, schedule(**allow()))
    owner, second, _ = by_rank(fleet)
    del owner.engine.states[UID]
    owner.client.zrem(keys.SCHEDULES, UID)
    owner.client.delete(keys.schedule(UID))
    await claims(second).renew()
    await second.step_until_idle()
    assert second.field(UID, "fingerprint") == second.engine.states[UID].schedule.fingerprint


async def test_each_schedule_of_others_is_compared_once_in_ten_minutes(fleet: list[Scheduler]) -> None:
    """The slices of the renewals cover every schedule, so that no edit stays unnoticed."""
    schedules = many(50)
    await load(fleet, *schedules)
    others = {each.uid for each in schedules if fleet[0].shares.rank(each.uid)}
    for uid in others:
        fleet[0].client.hset(keys.schedule(uid), "fingerprint", "other")
    renewal = claims(fleet[0])
    for _ in range(ROUNDS):
        await renewal.renew()
        fleet[0].client.zadd(keys.SCHEDULES, dict.fromkeys(others, fleet[0].clock.now()))
    assert {uid for uid, state in fleet[0].engine.states.items() if state.is_outdated} == others


async def test_trigger_is_carried_out_by_the_owner_at_once_and_by_the_next_if_it_does_not(
    fleet: list[Scheduler],
) -> None:
    """The others do nothing about a request in its first seconds. If it stays, the next in rank carries it out."""
    now = float(fleet[0].client.time()[0])
    for each in fleet:
        each.clock.set_wall(now)
    await load(fleet, schedule(**allow(schedule="0 0 1 1 *")))
    owner, second, third = by_rank(fleet)
    request_trigger(owner.client, "demo")
    await act(second, third)
    assert messages(owner.client) == []
    await act(owner)
    assert len(messages(owner.client)) == 1
    request_trigger(owner.client, "demo")
    for _ in range(4):
        for each in (second, third):
            await each.on_demand.step()
            each.clock.advance(1)
    assert len(messages(owner.client)) == 2
    assert second.shares.owns(UID), "further requests do not wait"
    assert not third.shares.owns(UID)


async def test_buffered_run_of_an_owner_that_lacks_the_schedule_is_released_by_the_next(fleet: list[Scheduler]) -> None:
    """A buffered run does not wait for an owner that does nothing about it."""
    await load(fleet, schedule(schedule="@every 20s", concurrencyPolicy="BufferAll"))
    owner, second, third = by_rank(fleet)
    await pass_time(fleet, 20)
    await pass_time(fleet, 20)
    del owner.engine.states[UID]
    assert [message["options"]["due_at"] / 1000 - T for message in messages(owner.client)] == [20]
    owner.end_run(messages(owner.client)[0]["message_id"])
    for _ in range(4):
        for each in (owner, second, third):
            await each.on_demand.step()
            each.clock.advance(1)
    assert owner.due() == [40]


async def test_backfill_is_continued_by_its_owner_alone_and_by_the_next_if_it_stands_still(
    fleet: list[Scheduler],
) -> None:
    """While the cursor moves, the others only look at it now and then. If it does not, the next in rank continues."""
    now = float(fleet[0].client.time()[0])
    for each in fleet:
        each.clock.set_wall(now)
    await load(fleet, schedule(**allow(schedule="@every 1s", startTime="2099-01-01T00:00:00Z", maxQueueDepth=1_000)))
    owner, second, third = by_rank(fleet)
    await load(fleet, schedule(**allow(schedule="@every 1s", suspend=True, maxQueueDepth=1_000)))
    id = request_backfill(owner.client, "demo", now - 300, now - 1)
    work = Work(owner.client)
    for _ in range(3):
        await owner.on_demand.step()
        work.restart()
        await second.on_demand.step()
        await third.on_demand.step()
        assert work.calls("evalsha") == 0
        for each in fleet:
            each.clock.advance(1)
    assert show_backfill(owner.client, id).enqueued == 150
    for _ in range(70):
        await second.on_demand.step()
        second.clock.advance(1)
    assert show_backfill(owner.client, id).state == "finished"
    assert len({message["message_id"] for message in messages(owner.client)}) == 300


async def test_follower_of_a_dead_owner_is_due_in_time(fleet: list[Scheduler]) -> None:
    """A success that the owner of a follower does not read is found by the others, and is not late for `catchUp`."""
    uid = "5d1c1a64-8a63-5a0e-9b0b-000000000001"
    follower = schedule("follower", uid, after="demo", queue="f", catchUp="None", concurrencyPolicy="Allow")
    await load(fleet, schedule(**allow(schedule="0 0 1 1 *")), follower)
    await act(*fleet)
    await act(*fleet)
    owner, second, third = by_rank(fleet, uid)
    await pass_time(fleet, 1)
    work = Work(owner.client)
    work.restart()
    await second.followers.step()
    assert work.calls("evalsha") == 0, "the others do not look each second"
    success = owner.clock.now()
    owner.client.hset(keys.schedule(UID), mapping={"last_success_at": success, "last_run_outcome": "succeeded"})
    for _ in range(9):
        await pass_time([second, third], 1)
        for each in (second, third):
            await each.followers.step()
            await each.step_until_idle()
    assert second.due("f") == [pytest.approx(success - T)]
    assert second.field(uid, "missed") is None


async def test_success_that_waits_for_its_jitter_is_known_to_every_scheduler(fleet: list[Scheduler]) -> None:
    """Redis has only the newest success, so a run that waits must not die with the owner."""
    uid = "5d1c1a64-8a63-5a0e-9b0b-000000000001"
    spec: dict[str, Any] = {"after": "demo", "queue": "f", "jitterSeconds": 60, "concurrencyPolicy": "Allow"}
    await load(fleet, schedule(**allow(schedule="0 0 1 1 *")), schedule("follower", uid, **spec))
    for second in (1, 2):
        await pass_time(fleet, 1)
        owner = fleet[0]
        success = {"last_success_at": T + second, "last_run_outcome": "succeeded"}
        owner.client.hset(keys.schedule(UID), mapping=success)
        for each in fleet:
            await each.followers.step()
    assert {each.engine.states[uid].successes for each in fleet} == {(T + 1, T + 2)}


async def test_takeover_is_counted_by_schedule(fleet: list[Scheduler]) -> None:
    """The metric names the schedules whose owner did not fire, and disappears with them."""
    await load(fleet, schedule(**allow()))
    _, second, third = by_rank(fleet)
    await pass_time([second, third], 59.5)
    await pass_time([second, third], 0.6)
    sample = second.metrics.registry.get_sample_value
    labels = {"scheduledtask": "default/demo"}
    assert sample("financehub_schedule_taken_over_total", labels) == 1
    assert third.metrics.registry.get_sample_value("financehub_schedule_taken_over_total", labels) is None
    second.engine.apply(Changes(removed=[UID]))
    await second.step_until_idle()
    assert sample("financehub_schedule_taken_over_total", labels) is None


async def test_run_for_whose_owner_nobody_waits_is_no_takeover(fleet: list[Scheduler]) -> None:
    """All schedulers submit a run with a short window at once. One that is faster than the owner shows no fault."""
    await load(fleet, schedule(**allow(startingDeadlineSeconds=5)))
    _, second, _ = by_rank(fleet)
    with capture_logs() as logs:
        await pass_time([second], 59.5)
    assert second.due() == [60]
    assert (
        second.metrics.registry.get_sample_value(
            "financehub_schedule_taken_over_total", {"scheduledtask": "default/demo"}
        )
        is None
    )
    assert not [line for line in logs if line["event"] == "runs_taken_over"]
