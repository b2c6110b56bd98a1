"""Tests of schedulers that share the due runs, on a real Redis: who submits, who takes over, and what it costs."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import redis
from redis.asyncio import Redis
from structlog.testing import capture_logs

from financehub_scheduler.core import membership
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.claims import ROUNDS
from financehub_scheduler.redis.members import MAX_MEMBERS, Members
from financehub_shared.core.clock import ManualClock
from financehub_shared.redis import keys
from financehub_shared.schedules import show_schedule
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule
from support.shared_fleet import Work, allow, by_rank, claims, join, load, many, members, pass_time


async def test_due_runs_of_three_schedulers_cost_redis_what_those_of_one_cost(
    fleet: list[Scheduler], redis_client: "redis.Redis"
) -> None:
    """Each due run is read by one script run, whatever the number of schedulers, and the others read one field each.

    A script reads each schedule with one HMGET, and each batch needs a few more commands.
    """
    count, work, costs = 600, Work(redis_client), []
    for size in (1, 2, 3):
        redis_client.flushall()
        schedulers = fleet[:size]
        for each in schedulers:
            each.engine.apply(Changes(removed=list(each.engine.states)))
            await each.step_until_idle()
        start = schedulers[0].clock.now()
        for each in schedulers:
            each.clock.set_wall(start)
        await load(schedulers, *many(count))
        await pass_time(schedulers, 60 - (start - T) % 60 - 0.1)
        redis_client.delete("dramatiq:q", "dramatiq:q.msgs")
        work.restart()
        for seconds in (0.1, 0.5, 0.2):
            await pass_time(schedulers, seconds)
        assert redis_client.llen("dramatiq:q") == count
        costs.append((work.calls("hmget"), work.calls("evalsha")))
    (hmget, scripts), *others = costs
    assert hmget >= count
    for found_hmget, found_scripts in others:
        assert found_hmget <= 1.1 * hmget
        # Each scheduler has a last batch that is not full, of runs and of their records.
        assert found_scripts <= scripts + 4


async def test_due_run_is_submitted_by_its_owner_and_found_by_the_others(fleet: list[Scheduler]) -> None:
    """The owner enqueues at the due time. The others find the run settled, and go on with the next one."""
    await load(fleet, schedule(**allow()))
    owner, *others = by_rank(fleet)
    for each in others:
        await each.pass_time(59.5)
    assert owner.due() == []
    await owner.pass_time(59.5)
    assert owner.due() == [60]
    await pass_time(others, 0.7)
    for each in fleet:
        assert each.engine.states[UID].next_due == T + 120
    assert owner.due() == [60]


async def test_due_run_of_a_dead_owner_is_taken_over_half_a_second_late_and_then_on_time(
    fleet: list[Scheduler],
) -> None:
    """The next in rank takes over half a second after the due time, and for a minute it does not wait again."""
    await load(fleet, schedule(**allow(schedule="@every 30s")))
    _, second, third = by_rank(fleet)
    with capture_logs() as logs:
        await pass_time([second, third], 29.5)
        assert second.due() == []
        assert await second.engine.step() == pytest.approx(0.5)
        await pass_time([third, second], 0.51)
        assert second.due() == [30]
    assert [each["schedules"] for each in logs if each["event"] == "runs_taken_over"] == [1]
    await pass_time([third, second], 29.49)
    assert second.due() == [30, 60]
    assert not third.shares.owns(UID), "only one of them adopts the schedule"


async def test_adoption_ends_when_the_owner_works_again(fleet: list[Scheduler]) -> None:
    """An owner that was only slow once is not helped for a minute, which would double the work of Redis."""
    await load(fleet, schedule(**allow(schedule="@every 10s")))
    owner, second, third = by_rank(fleet)
    await pass_time([second, third], 10.1)
    assert second.shares.owns(UID)
    await owner.pass_time(19.5)
    await pass_time([second, third], 9.4)
    assert not second.shares.owns(UID)
    assert owner.due() == [10, 20]


async def test_due_runs_of_a_member_whose_membership_ended_are_fired_on_time(fleet: list[Scheduler]) -> None:
    """As soon as the others know that a scheduler is gone, they divide its share and wait for nobody."""
    await load(fleet, *many(60))
    gone = fleet[0]
    gone.client.zrem(keys.SCHEDULERS, gone.shares.id)
    for each in fleet[1:]:
        await each.membership.step()
    await pass_time(fleet[1:], 59.5)
    assert len(gone.due()) == 60


async def test_scheduler_that_leaves_at_shutdown_ends_its_membership(
    fleet: list[Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that stops ends its membership, so that nobody waits for it."""
    # The limit is for a Redis that hangs, not for a busy machine.
    monkeypatch.setattr(membership, "_LEAVE_SECONDS", 60)
    await load(fleet, schedule(**allow()))
    await fleet[0].membership.leave()
    await fleet[1].membership.step()
    assert members(fleet[1].client) == {each.shares.id for each in fleet[1:]}


async def test_scheduler_joins_only_when_all_of_its_schedules_are_registered(fleet: list[Scheduler]) -> None:
    """One that is starting owns nothing, waits for the members, and is not waited for."""
    await load(fleet[:2], schedule(**allow()))
    starting = fleet[2]
    starting.engine.apply(Changes([schedule(**allow())], complete=False))
    await starting.step_until_idle()
    await starting.membership.step()
    assert starting.shares.id not in members(starting.client)
    assert starting.shares.rank(UID) == 2
    starting.engine.apply(Changes([]))
    await starting.step_until_idle()
    await starting.membership.step()
    assert starting.shares.id in members(starting.client)


#: What happens to the owner of a schedule, or to the others, before the due time T + 60.
Fault = Callable[[Scheduler, list[Scheduler], dict[str, Any]], Awaitable[None]]


async def dies(*_: object) -> None:
    """Nothing steps it any more."""


async def lacks_the_schedule(owner: Scheduler, *_: object) -> None:
    """Its folder does not have the schedule."""
    del owner.engine.states[UID]


async def refuses_the_arguments(owner: Scheduler, *_: object) -> None:
    """Only this scheduler refuses the arguments, such as those that name an asset of another file."""
    owner.refused["default/demo"] = "no such symbol"
    owner.engine.recheck_arguments()


async def misses_an_edit(_: Scheduler, others: list[Scheduler], spec: dict[str, Any]) -> None:
    """The others have registered an edit that it has not read."""
    for each in others:
        await each.load(schedule(**allow(**spec, retries=1)), keep_known_state=False)


async def edits_what_the_others_miss(owner: Scheduler, _: list[Scheduler], spec: dict[str, Any]) -> None:
    """It has registered an edit that the others have not read."""
    await owner.load(schedule(**allow(**spec, retries=1)), keep_known_state=False)


async def has_a_damaged_mark(owner: Scheduler, *_: object) -> None:
    """Another program has written a text into the mark that Python does not convert to a number."""
    owner.client.hset(keys.HIGH_WATER_MARKS, UID, "9" * 5_000)


async def is_half_a_minute_behind(owner: Scheduler, *_: object) -> None:
    """Its clock is wrong."""
    owner.clock.set_wall(owner.clock.now() - 30)


async def is_half_a_minute_ahead(owner: Scheduler, *_: object) -> None:
    """Its clock is wrong, by less than what Redis refuses."""
    owner.clock.set_wall(owner.clock.now() + 30)


async def is_two_seconds_behind(owner: Scheduler, *_: object) -> None:
    """It is slow, and submits what the others have taken over."""
    owner.clock.set_wall(owner.clock.now() - 2)


FAULTS: list[Fault] = [
    dies,
    lacks_the_schedule,
    refuses_the_arguments,
    misses_an_edit,
    edits_what_the_others_miss,
    has_a_damaged_mark,
    is_half_a_minute_behind,
    is_half_a_minute_ahead,
    is_two_seconds_behind,
]
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "catch-up none": {"catchUp": "None"},
    "catch-up all": {"catchUp": "All"},
    "jitter": {"jitterSeconds": 20, "catchUp": "None"},
    "short window": {"startingDeadlineSeconds": 1, "catchUp": "None"},
    "window": {"startingDeadlineSeconds": 10, "catchUp": "None"},
    "each second": {"schedule": "@every 1s", "catchUp": "All"},
    "forbid": {"concurrencyPolicy": "Forbid", "schedule": "@every 2m"},
    "max runs": {"maxRuns": 2},
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_run_whose_owner_does_not_fire_is_enqueued_once_within_a_second_and_not_missed(
    fleet: list[Scheduler], fault: Fault, spec: dict[str, Any]
) -> None:
    """Whatever keeps the owner from firing, each due time is enqueued once, within a second, and none is missed.

    A run that is taken over is not late for `catchUp` and `startingDeadlineSeconds`.
    """
    demo = schedule(**allow(**spec))
    await load(fleet, demo)
    owner, *others = by_rank(fleet)
    await fault(owner, others, spec)
    period = {"@every 1s": 1, "@every 2m": 120}.get(str(spec.get("schedule")), 60)
    due_times = [period, 2 * period]
    running = others if fault is dies else [*others, owner]
    arrived: dict[float, float] = {}
    end = due_times[-1] + demo.recurrence.offset + 2
    # The schedulers step at least once in a quarter of a second where something is due, as their loops do.
    while (now := others[0].clock.now() - T) < end:
        near = any(-6 < now - due - demo.recurrence.offset < 2 for due in due_times)
        seconds = 0.25 if near else 5.0 - (now - 0.5) % 5.0
        for each in fleet:
            each.clock.advance(seconds)
        for each in running:
            await each.step_until_idle()
        now = others[0].clock.now() - T
        for due in owner.due():
            arrived.setdefault(due, now)
        if spec.get("concurrencyPolicy") == "Forbid":
            for message in messages(owner.client):
                if message["options"]["due_at"] / 1000 - T < due_times[-1]:
                    owner.client.hset(keys.run(message["message_id"]), "state", "succeeded")
    counted = [due for due in owner.due() if due in due_times]
    assert counted == due_times, "each due time once"
    assert all(arrived[due] - due - demo.recurrence.offset < 1.0 for due in due_times)
    assert others[0].field(UID, "missed") is None


async def test_owner_that_is_paused_by_a_clock_far_ahead_ends_its_membership(
    redis_url: str, redis_client: "redis.Redis"
) -> None:
    """A scheduler that Redis found far ahead of its own clock fires nothing, so that nobody waits for it."""
    now = float(redis_client.time()[0])
    clock = ManualClock(now // 60 * 60 + 0.5)
    ahead = build(redis_url, clock, redis_client, ahead_limit=60)
    await ahead.load(schedule(**allow(schedule="@every 1h", startTime="2020-01-01T00:59:59Z")))
    await ahead.membership.step()
    assert members(redis_client) == {ahead.shares.id}
    clock.set_wall(now + 86_400)
    await ahead.step_until_idle()
    assert ahead.engine.health.is_ahead(clock.monotonic())
    await ahead.membership.step()
    assert members(redis_client) == set()
    await ahead.connection.aclose()


async def test_member_whose_loop_is_stalled_ends_its_membership(fleet: list[Scheduler]) -> None:
    """A scheduler whose loop does not step any more does not stay an owner, although its other tasks go on."""
    await load(fleet, schedule(**allow()))
    fleet[0].clock.advance(11)
    await fleet[0].membership.step()
    assert fleet[0].shares.id not in members(fleet[0].client)
    await fleet[0].engine.step()
    await fleet[0].membership.step()
    assert fleet[0].shares.id in members(fleet[0].client)


async def test_members_after_data_loss_of_redis_return(fleet: list[Scheduler]) -> None:
    """After Redis has lost its data, each member writes itself again, and no run is lost or repeated."""
    await load(fleet, schedule(**allow()))
    await pass_time(fleet, 59.5)
    fleet[0].client.flushall()
    await pass_time(fleet, 60)
    await pass_time(fleet, 0.7)
    assert fleet[0].due() == [120]
    await join(*fleet)
    await pass_time(fleet, 59.3)
    assert fleet[0].due() == [120, 180]


@pytest.mark.parametrize(
    "damage",
    [
        lambda client: client.set(keys.SCHEDULERS, "damaged"),
        lambda client: client.zadd(keys.SCHEDULERS, {"in the future": 1e12, "long ago": 5.0, "negative": -1e12}),
        lambda client: client.delete(keys.SCHEDULERS),
    ],
    ids=["wrong type", "wrong times", "deleted"],
)
async def test_members_damaged_by_another_program_are_right_after_the_next_refresh(
    fleet: list[Scheduler], damage: Callable[[Any], object]
) -> None:
    """Foreign values do not stay members, and a key of another type is set aside."""
    await load(fleet, schedule(**allow()))
    damage(fleet[0].client)
    for each in (*fleet, *fleet):
        await each.membership.step()
    assert members(fleet[0].client) <= {each.shares.id for each in fleet}
    await join(*fleet)


async def test_number_of_members_that_are_read_is_limited(fleet: list[Scheduler]) -> None:
    """Another program that adds thousands of members does not make each decision expensive."""
    now = float(fleet[0].client.time()[0])
    fleet[0].client.zadd(keys.SCHEDULERS, {f"foreign-{number}": now for number in range(5_000)})
    await load(fleet[:1], schedule())
    await fleet[0].membership.step()
    assert fleet[0].shares.rank(UID) <= 49


@pytest.mark.parametrize(
    "mark", ["", "x", "-5", "1e3", "9" * 16, "9" * 5_000, b"\xff", "\u0663"], ids=lambda mark: repr(mark)[:20]
)
async def test_run_whose_mark_is_damaged_is_taken_over(fleet: list[Scheduler], mark: str | bytes) -> None:
    """A mark that is not a time does not end the loop and does not count as settled, and the script repairs it."""
    await load(fleet, schedule(**allow()))
    _, second, third = by_rank(fleet)
    await second.pass_time(59.6)
    second.client.hset(keys.HIGH_WATER_MARKS, UID, mark)
    await pass_time([second, third], 0.5)
    await third.pass_time(60)
    assert second.due() == [60]
    assert second.engine.states[UID].next_due == T + 120


@pytest.mark.parametrize("error", [redis.ConnectionError("gone"), ValueError("unforeseen")], ids=repr)
async def test_run_that_fails_during_a_take_over_is_looked_at_again(
    fleet: list[Scheduler], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """If reading the marks fails, the run is not lost, whatever the error is."""
    await load(fleet, schedule(**allow()))
    _, second, _ = by_rank(fleet)

    async def fail(*_: object) -> list[int | None]:
        raise error

    await second.pass_time(59.5)
    with monkeypatch.context() as outage:
        outage.setattr(second.registry, "high_water_marks", fail)
        second.clock.advance(0.51)
        with suppress(ValueError):
            await second.engine.step()
    await second.pass_time(0.1)
    assert second.due() == [60]


async def test_edit_while_a_run_waits_for_its_owner_keeps_the_run(fleet: list[Scheduler]) -> None:
    """A due time that waits for its owner is pending at an edit, and runs once."""
    await load(fleet, schedule(**allow()))
    owner, second, third = by_rank(fleet)
    await second.pass_time(59.7)
    assert second.due() == []
    await second.load(schedule(**allow(retries=1)), keep_known_state=False)
    await pass_time([second], 0.5)
    assert second.due() == [60]
    for each in (owner, third):
        await each.pass_time(60.5)
    assert second.due() == [60]


@pytest.mark.parametrize("edit", [{"schedule": "@every 20s"}, {"schedule": "@every 90s"}, {"retries": 1}], ids=repr)
async def test_scheduler_that_missed_an_edit_learns_of_it_while_the_owner_works(
    fleet: list[Scheduler], edit: dict[str, Any]
) -> None:
    """The others find an edit within one due time after they renew their claims, however its due times compare.

    Otherwise, they would find out only when the owner has died, and the first runs after its death would be late.
    """
    await load(fleet, schedule(**allow()))
    owner, *others = by_rank(fleet)
    await owner.load(schedule(**allow(**edit)), keep_known_state=False)
    for _ in range(4):
        await pass_time([owner, *others], 15)
    for each in others:
        renewal = claims(each)
        for _ in range(ROUNDS):
            await renewal.renew()
    for _ in range(24):
        await pass_time([owner, *others], 5)
    for each in others:
        assert each.engine.states[UID].superseded_at is not None
        each.engine.reregister_superseded(each.clock.monotonic() - 1_000)
        await each.load(schedule(**allow(**edit)))
        assert not each.engine.states[UID].is_outdated
    before = owner.due()
    assert len(before) == len(set(before))


async def test_claims_of_a_scheduler_that_missed_no_edit_cost_no_submission(fleet: list[Scheduler]) -> None:
    """After a claim that finds our spec, the others still read only the mark."""
    await load(fleet, schedule(**allow()))
    owner, second, _ = by_rank(fleet)
    await second.load(schedule(**allow(retries=1)), keep_known_state=False)
    await claims(owner).renew()
    await owner.load(schedule(**allow(retries=1)))
    for each in (owner, second):
        await claims(each).renew()
    work = Work(second.client)
    await owner.pass_time(59.5)
    work.restart()
    await second.pass_time(60.5)
    assert work.calls("evalsha") == 0
    assert second.engine.states[UID].next_due == T + 120


async def test_schedule_removed_or_paused_while_its_run_waits_runs_no_more(fleet: list[Scheduler]) -> None:
    """A run that waits for its owner is dropped with its schedule, as one that is not due yet."""
    await load(fleet, schedule(**allow()))
    owner, second, third = by_rank(fleet)
    # With another owner, the steps below would enqueue one of the two schedules at its time.
    other = next(each for each in many(1_000) if by_rank(fleet, each.uid)[:2] == [owner, second])
    for each in fleet:
        await each.load(other)
    second.clock.advance(59.9)
    await second.engine.step()
    second.engine.apply(Changes(removed=[UID]))
    await second.step_until_idle()
    second.client.hset(keys.SCHEDULES_PAUSED, other.uid, '{"by": "me", "reason": "", "at": 1}')
    for each in (second, third):
        await each.pauses.step()
        await each.pass_time(1)
    assert messages(second.client) == []
    assert all(not each.shares.owns(UID) or each is owner for each in fleet)


async def test_next_runs_are_published_by_the_owner_and_by_others_only_if_they_differ(fleet: list[Scheduler]) -> None:
    """Each scheduler writes its share. The others write what the owner did not, ten seconds later."""
    await load(fleet, schedule(**allow()))
    owner, second, third = by_rank(fleet)
    client: Any = owner.client
    await second.publisher.step()
    assert client.hlen(keys.SCHEDULE_NEXT_RUNS) == 0
    await owner.publisher.step()
    assert show_schedule(client, "demo").next_times[0] == T + 60
    client.config_resetstat()
    for each in (second, third):
        each.clock.advance(11)
        await each.publisher.step()
    assert "cmdstat_hset" not in client.info("commandstats")
    # The owner dies after its next run, before it has published the one after that.
    await pass_time([second], 48.5)
    await owner.pass_time(59.5)
    await pass_time([second], 1)
    for _ in range(2):
        await second.publisher.step()
        second.clock.advance(11)
    assert show_schedule(client, "demo").next_times[0] == T + 120


@pytest.mark.parametrize("behind", [0, 2], ids=["same clock", "clock behind"])
async def test_next_runs_of_the_owner_are_not_replaced_by_a_run_that_it_has_settled(
    fleet: list[Scheduler], behind: int
) -> None:
    """Until another scheduler has looked at a due run, its plan is older than what the owner has published."""
    await load(fleet, schedule(**allow()))
    owner, second, _ = by_rank(fleet)
    second.clock.set_wall(second.clock.now() - behind)
    await second.pass_time(49.5)
    await second.publisher.step()
    await owner.pass_time(59.6)
    await owner.publisher.step()
    second.clock.advance(10.1)
    await second.publisher.step()
    assert show_schedule(owner.client, "demo").next_times[0] == T + 120
    await second.pass_time(3)
    await second.publisher.step()
    owner.client.delete(keys.SCHEDULE_NEXT_RUNS)
    second.clock.advance(11)
    await second.publisher.step()
    assert show_schedule(owner.client, "demo").next_times[0] == T + 120, "the next plan is compared again"


async def test_schedule_removed_while_next_runs_are_written_leaves_nothing(
    fleet: list[Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a rank nor a metric remains of a schedule that is removed between the read and the reply of Redis."""
    await load(fleet, schedule(**allow()))
    _, second, _ = by_rank(fleet)
    publish = second.registry.publish

    async def remove_and_publish(next_runs: Any) -> None:
        second.engine.apply(Changes(removed=[UID]))
        await second.step_until_idle()
        await publish(next_runs)

    with monkeypatch.context() as slow:
        slow.setattr(second.registry, "publish", remove_and_publish)
        await second.publisher.step()
    assert second.shares._ranks == {}
    assert "default/demo" not in second.metrics.expose("")[1].decode()


async def test_follower_is_not_delayed_by_an_owner_that_finds_the_success_later(fleet: list[Scheduler]) -> None:
    """The scheduler that finds a success first enqueues the follower, and the others submit nothing."""
    first = schedule("first", uid="5d1c1a64-8a63-5a0e-9b0a-000000000002")
    await load(fleet, first, schedule(**allow(after="first")))
    owner, second, third = by_rank(fleet)
    second.client.hset(keys.schedule(first.uid), "last_success_at", str(T + 1.4))
    await pass_time(fleet, 1.0)
    work = Work(second.client)
    await second.followers.step()
    await second.step_until_idle()
    assert len(second.due()) == 1
    await third.followers.step()
    work.restart()
    await third.step_until_idle()
    assert work.calls("evalsha") == 0
    await owner.followers.step()
    await owner.step_until_idle()
    assert len(second.due()) == 1


async def test_members_beyond_the_limit_are_not_returned(redis_url: str, redis_client: "redis.Redis") -> None:
    """Another program that adds members cannot make each decision of a scheduler expensive."""
    seconds = redis_client.time()[0]
    redis_client.zadd(keys.SCHEDULERS, {f"other-{number}": seconds - 1 for number in range(2 * MAX_MEMBERS)})
    async with Redis.from_url(redis_url) as client:
        found = await Members(client, "own").refresh(is_member=True)
    assert len(found) == MAX_MEMBERS
    assert b"own" in found
