"""Runs under `concurrencyPolicy: BufferAll`: they wait for their turn, and each runs once, in order."""

import random
from dataclasses import replace
from typing import Any

import pytest
import redis

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.on_demand import read_due
from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_shared.core.clock import ManualClock
from financehub_shared.operations.schedules import pause_schedules, resume_schedules
from financehub_shared.redis import keys
from financehub_shared.schedules import request_backfill
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule

ALL = {"concurrencyPolicy": "BufferAll"}
#: Values that no scheduler writes as a due time. The last two are in the years 2100 and 33658.
DAMAGED: list[str | bytes] = ["", "abc", "nan", "inf", "-inf", "9e99", "9" * 400, b"\xff", "1.5", "0x10", " 7 ", "-7"]
DAMAGED += ["0", "-5000", "007", "1800000000000.0", "1.8e12", "4102444800000", "999999999999999"]


def buffered(client: "redis.Redis") -> list[float]:
    """Return the due times that wait, in order, in seconds after T."""
    head, further = client.hget(keys.SCHEDULES_BUFFERED, UID), client.lrange(keys.schedule_buffered(UID), 0, -1)
    return [int(time) / 1000 - T for time in ([head, *further] if head else [])]


def counters(scheduler: Scheduler) -> dict[str, int]:
    """Return the counters of the schedule that are not 0."""
    names = ("runs", "missed", "skipped_overlap", "skipped_backlog", "skipped_refused")
    return {name: int(value) for name in names if (value := scheduler.field(UID, name))}


async def fill(scheduler: Scheduler, number: int, **spec: Any) -> None:
    """Make one run active and let others wait, one each minute."""
    await scheduler.load(schedule(**ALL | spec))
    for _ in range(number + 1):
        await scheduler.pass_time(60)


def end_active(scheduler: Scheduler, state: str = "succeeded") -> float:
    """End the only run in the queue, and return its due time in seconds after T."""
    (message,) = messages(scheduler.client)
    scheduler.end_run(message["message_id"], state)
    return float(message["options"]["due_at"] / 1000 - T)


async def test_runs_wait_and_each_is_released_after_the_end_of_the_previous_one(scheduler: Scheduler) -> None:
    """Each step after the end of a run releases the next one, and no step releases one before."""
    await fill(scheduler, 4)
    assert buffered(scheduler.client) == [120, 180, 240, 300]
    ended = []
    for _ in range(5):
        for _ in range(2):
            await scheduler.on_demand.step()
        ended.append(end_active(scheduler))
    await scheduler.on_demand.step()
    assert ended == [60, 120, 180, 240, 300]
    assert messages(scheduler.client) == []
    assert not scheduler.client.exists(keys.SCHEDULES_BUFFERED, keys.schedule_buffered(UID))
    assert counters(scheduler) == {"runs": 5}


async def test_due_run_behind_others_waits_although_the_previous_run_has_ended(scheduler: Scheduler) -> None:
    """A due run does not overtake those that wait, even if it is due before a scheduler has released the next one."""
    await fill(scheduler, 1)
    end_active(scheduler)
    await scheduler.pass_time(60)
    assert messages(scheduler.client) == []
    assert buffered(scheduler.client) == [120, 180]


@pytest.mark.parametrize("spec", [{}, {"maxQueueDepth": 3}, {"maxQueueDepth": 150}])
async def test_waiting_runs_are_bounded_and_further_ones_are_skipped(
    scheduler: Scheduler, spec: dict[str, int]
) -> None:
    """At most 100 runs wait, or more if maxQueueDepth allows it. Further due times are skipped for the backlog."""
    limit = 151 if spec.get("maxQueueDepth") == 150 else 100
    demo = schedule(**ALL, **spec)
    await scheduler.load(demo)
    due = [RunSubmission(demo, "due", T + 60 * number) for number in range(1, limit + 4)]
    outcomes = await scheduler.outcomes(*due)
    assert outcomes == ["enqueued", *["buffered"] * limit, "backlog", "backlog"]
    assert counters(scheduler) == {"runs": 1, "skipped_backlog": 2}
    end_active(scheduler)
    assert await scheduler.outcomes(replace(due[1], kind="buffered")) == ["enqueued"]
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 60 * (limit + 4))) == ["buffered"]


async def test_max_backlog_setting_bounds_the_waiting_runs(scheduler: Scheduler) -> None:
    """FINANCEHUB_MAX_BACKLOG is the limit."""
    scheduler.enqueuer._context["max_backlog"] = 2
    await fill(scheduler, 4)
    assert buffered(scheduler.client) == [120, 180]
    assert counters(scheduler) == {"runs": 1, "skipped_backlog": 2}


async def test_full_queue_skips_a_run_as_under_allow_but_not_one_that_waits(scheduler: Scheduler) -> None:
    """With an empty buffer, maxQueueDepth skips a due run. Runs that wait stay until there is room in the queue."""
    demo = schedule(**ALL, maxQueueDepth=0)
    await scheduler.load(demo)
    scheduler.client.hset("dramatiq:q.msgs", "other", "{}")
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 60)) == ["backlog"]
    scheduler.client.hdel("dramatiq:q.msgs", "other")
    runs = [RunSubmission(demo, "due", T + 60 * number) for number in (2, 3, 4)]
    assert await scheduler.outcomes(*runs[:2]) == ["enqueued", "buffered"]
    end_active(scheduler)
    scheduler.client.hset("dramatiq:q.msgs", "other", "{}")
    assert await scheduler.outcomes(replace(runs[1], kind="buffered"), runs[2]) == ["wait", "buffered"]
    assert buffered(scheduler.client) == [180, 240]
    scheduler.client.hdel("dramatiq:q.msgs", "other")
    assert await scheduler.outcomes(replace(runs[1], kind="buffered")) == ["enqueued"]


@pytest.mark.parametrize("change", ["suspend", "pause", "pause of an earlier release", "delete"])
async def test_change_drops_all_waiting_runs_and_counts_nothing(scheduler: Scheduler, change: str) -> None:
    """Whatever drops the buffered run under BufferOne drops all of them, and later runs wait as if there were none."""
    await fill(scheduler, 3)
    before = counters(scheduler)
    match change:
        case "pause":
            pause_schedules(scheduler.client, ["demo"], "maintenance", "alice")
            resume_schedules(scheduler.client, ["demo"])
            await scheduler.load(schedule(**ALL))
        case "pause of an earlier release":
            scheduler.client.hdel(keys.SCHEDULES_BUFFERED, UID)
        case "delete":
            scheduler.engine.apply(Changes(removed=[UID]))
            await scheduler.step_until_idle()
            assert not scheduler.client.exists(keys.schedule_buffered(UID))
            await scheduler.load(schedule(**ALL))
            before = {}
        case _:
            await scheduler.load(schedule(**ALL, suspend=True), keep_known_state=False)
            await scheduler.load(schedule(**ALL), keep_known_state=False)
    end_active(scheduler)
    await scheduler.on_demand.step()
    assert messages(scheduler.client) == []
    assert counters(scheduler) == before
    demo, start = scheduler.engine.states[UID].schedule, scheduler.clock.now()
    runs = [RunSubmission(demo, "due", start + 10 * number) for number in (1, 2, 3)]
    scheduler.clock.advance(60)
    assert await scheduler.outcomes(*runs) == ["enqueued", "buffered", "buffered"]
    assert buffered(scheduler.client) == [run.due - T for run in runs[1:]]


@pytest.mark.parametrize("policy", ["BufferAll", "BufferOne", "Forbid", "Replace", "Allow"])
async def test_edit_keeps_all_waiting_runs_whatever_the_new_policy_is(scheduler: Scheduler, policy: str) -> None:
    """Waiting runs are due. After an edit, each of them runs once, with the new spec, as the new policy allows it."""
    await fill(scheduler, 3)
    await scheduler.load(schedule(concurrencyPolicy=policy, retries=1), keep_known_state=False)
    ended = [end_active(scheduler)]
    for _ in range(3):
        await scheduler.on_demand.step()
        ended.append(end_active(scheduler))
    assert ended == [60, 120, 180, 240]
    assert counters(scheduler) == {"runs": 4}


@pytest.mark.parametrize("releases", [1, 4])
@pytest.mark.parametrize("policy", ["BufferAll", "BufferOne", "Forbid", "Replace", "Allow"])
async def test_due_run_after_an_edit_overtakes_no_waiting_run(scheduler: Scheduler, policy: str, releases: int) -> None:
    """A run that is due between the end of the active run and the next release does not run before those that wait."""
    await fill(scheduler, 3)
    assert buffered(scheduler.client) == [120, 180, 240]
    await scheduler.load(schedule(concurrencyPolicy=policy, retries=1), keep_known_state=False)
    ended = [end_active(scheduler)]
    for _ in range(6):
        await scheduler.pass_time(60)
        newest = float(scheduler.field(UID, "last_due_at") or 0)
        for _ in range(releases):
            await scheduler.on_demand.step()
            last_due = float(scheduler.field(UID, "last_due_at") or 0)
            assert last_due >= newest, "the newest due time never goes back"
            newest = last_due
            for message in messages(scheduler.client):
                scheduler.end_run(message["message_id"])
                ended.append(message["options"]["due_at"] / 1000 - T)
    assert {60.0, 120.0, 180.0, 240.0} <= {*ended}
    assert len(ended) == len({*ended})
    if policy != "Allow":
        # Under Allow, runs overlap and have no order. A due run is skipped while others wait.
        assert ended == sorted(ended)
    # With one release per minute, as many go on waiting under BufferAll.
    assert ended[-1] == (420 if (policy, releases) == ("BufferAll", 1) else 600), (
        "it goes on after the last one that waited"
    )


@pytest.mark.parametrize("value", DAMAGED)
async def test_damaged_due_time_after_an_edit_skips_no_due_run(scheduler: Scheduler, value: str | bytes) -> None:
    """An entry that no scheduler has written does not count as a run that waits."""
    await scheduler.load(schedule(concurrencyPolicy="Forbid"))
    scheduler.client.hset(keys.SCHEDULES_BUFFERED, UID, value)
    await scheduler.pass_time(60)
    assert scheduler.due() == [60]


async def test_waiting_runs_survive_the_restart_of_every_scheduler(scheduler: Scheduler, redis_url: str) -> None:
    """A new scheduler releases what an earlier one let wait."""
    await fill(scheduler, 3)
    later = build(redis_url, ManualClock(scheduler.clock.now()), scheduler.client)
    await later.load(schedule(**ALL))
    ended = []
    for _ in range(4):
        ended.append(end_active(scheduler))
        await later.on_demand.step()
    assert ended == [60, 120, 180, 240]
    await later.connection.aclose()


@pytest.mark.parametrize(("max_runs", "released"), [(1, []), (2, [120]), (3, [120, 180])])
async def test_max_runs_counts_waiting_runs_when_they_are_released(
    scheduler: Scheduler, max_runs: int, released: list[float]
) -> None:
    """Exactly maxRuns runs are enqueued, and no run waits that will never be enqueued."""
    await fill(scheduler, 4, maxRuns=max_runs)
    assert buffered(scheduler.client) == released
    ended = []
    for _ in range(max_runs):
        ended.append(end_active(scheduler))
        await scheduler.on_demand.step()
        assert scheduler.engine.states[UID].problem == ("maxRuns reached" if max_runs == 1 else "")
    assert ended == [60, *released]
    assert messages(scheduler.client) == []
    assert counters(scheduler)["runs"] == max_runs
    await scheduler.pass_time(60)
    assert scheduler.engine.states[UID].problem == "maxRuns reached"


async def test_waiting_run_beyond_max_runs_is_dropped(scheduler: Scheduler) -> None:
    """If more runs wait than maxRuns allows, for example after another program changed the count, they are dropped."""
    await fill(scheduler, 3, maxRuns=10)
    scheduler.client.hset(keys.schedule(UID), "runs", 10)
    end_active(scheduler)
    await scheduler.on_demand.step()
    assert messages(scheduler.client) == []
    assert buffered(scheduler.client) == []


async def test_triggers_and_backfills_do_not_change_the_order_of_waiting_runs(scheduler: Scheduler) -> None:
    """A trigger is skipped while a run is active, a backfill waits, and neither costs a waiting run."""
    await fill(scheduler, 3)
    demo = scheduler.engine.states[UID].schedule
    assert await scheduler.outcomes(RunSubmission(demo, "annotation", T, fence="x")) == ["overlap"]
    start = 1_790_000_040.0
    request_backfill(scheduler.client, "demo", start, start + 60)
    ended = []
    for _ in range(8):
        await scheduler.on_demand.step()
        if messages(scheduler.client):
            ended.append(end_active(scheduler))
    assert [time for time in ended if time > 0] == [60, 120, 180, 240]
    assert [time + T for time in ended if time <= 0] == [start, start + 60]


@pytest.mark.parametrize("seed", range(12))
async def test_any_interleaving_runs_each_due_time_once_and_in_order(
    scheduler: Scheduler, second: Scheduler, seed: int
) -> None:
    """With two schedulers, ends of runs and submissions at any moment, every due time runs once or is counted as
    skipped, in order, and never beside another one.
    """
    chance = random.Random(seed)
    demo, limit = schedule(**ALL), chance.choice([1, 2, 5])
    for each in (scheduler, second):
        each.enqueuer._context["max_backlog"] = limit
        await each.load(demo)
    number, expected, active = 0, list[float](), list[float]()
    ran = []
    for _ in range(120):
        each = chance.choice([scheduler, second])
        match chance.choice(["due", "due again", "end", "release", "release"]):
            case "due":
                number += 1
                outcome = await each.outcomes(RunSubmission(demo, "due", T + number))
                waiting = len(expected)
                if waiting < limit or not (active or waiting):
                    assert outcome == ["buffered" if active or waiting else "enqueued"]
                    (expected if active or waiting else active).append(number)
                else:
                    assert outcome == ["backlog"]
            case "due again" if number:
                assert await each.outcomes(RunSubmission(demo, "due", T + number)) == ["already"]
            case "end" if active:
                ran.append(end_active(each))
                assert ran[-1:] == active
                active = []
            case "release":
                await each.on_demand.step()
                if expected and not active:
                    active = [expected.pop(0)]
        assert scheduler.due() == active
        assert buffered(scheduler.client) == expected
    assert ran == sorted(set(ran))
    assert counters(scheduler)["runs"] == len(ran) + len(active)
    assert counters(scheduler).get("skipped_backlog", 0) == number - len(ran) - len(active) - len(expected)


async def test_list_of_another_type_is_set_aside(scheduler: Scheduler) -> None:
    """A key that another program replaced costs the runs that were in it, and later ones wait as usual."""
    await fill(scheduler, 2)
    scheduler.client.delete(keys.schedule_buffered(UID))
    scheduler.client.set(keys.schedule_buffered(UID), "x")
    await scheduler.pass_time(60)
    assert buffered(scheduler.client) == [120, 240]


@pytest.mark.parametrize("value", DAMAGED)
@pytest.mark.parametrize("is_head", [True, False])
async def test_damaged_due_time_is_given_up_without_another_due_run(
    scheduler: Scheduler, value: str | bytes, *, is_head: bool
) -> None:
    """An entry that another program has damaged is given up, and the runs behind it are released as usual."""
    await fill(scheduler, 4)
    if is_head:
        scheduler.client.hset(keys.SCHEDULES_BUFFERED, UID, value)
    else:
        scheduler.client.lset(keys.schedule_buffered(UID), 0, value)
    ended = []
    for _ in range(6):
        if messages(scheduler.client):
            ended.append(end_active(scheduler))
        await scheduler.on_demand.step()
    assert ended == ([60, 180, 240, 300] if is_head else [60, 120, 240, 300])
    assert not scheduler.client.exists(keys.SCHEDULES_BUFFERED, keys.schedule_buffered(UID))
    # The scheduler reports exactly what the script drops.
    assert read_due(value.encode() if isinstance(value, str) else value, scheduler.clock.now()) is None


@pytest.mark.parametrize("policy", ["BufferAll", "BufferOne"])
@pytest.mark.parametrize("value", DAMAGED)
async def test_damaged_due_times_do_not_stop_the_runs_behind_them(
    scheduler: Scheduler, policy: str, value: str | bytes
) -> None:
    """Entries that another program has damaged are given up at the next due run, and all others run in order."""
    await fill(scheduler, 2 if policy == "BufferAll" else 1, concurrencyPolicy=policy)
    scheduler.client.hset(keys.SCHEDULES_BUFFERED, UID, value)
    if policy == "BufferAll":
        scheduler.client.lpush(keys.schedule_buffered(UID), value, value)
    await scheduler.on_demand.step()
    await scheduler.pass_time(60)
    behind = [180, 240] if policy == "BufferAll" else [180]
    assert buffered(scheduler.client) == behind
    ended = []
    for _ in behind:
        end_active(scheduler)
        await scheduler.on_demand.step()
        ended += scheduler.due()
    assert ended == behind


async def test_runs_that_end_quickly_are_released_several_times_per_second(scheduler: Scheduler) -> None:
    """After a release, the next ones need no further step, so that a schedule that is due each second catches up."""
    await fill(scheduler, 3)
    end_active(scheduler)
    await scheduler.on_demand.release_more()
    assert messages(scheduler.client) == [], "a schedule without a release waits for the step"
    await scheduler.on_demand.step()
    assert scheduler.on_demand.has_released()
    ended = []
    for _ in range(3):
        await scheduler.on_demand.release_more()
        ended.append(end_active(scheduler))
        await scheduler.on_demand.release_more()
    assert ended == [120, 180, 240]
    assert messages(scheduler.client) == []
    assert counters(scheduler) == {"runs": 4}


async def test_release_between_steps_reads_nothing_without_a_release(scheduler: Scheduler) -> None:
    """Many schedules with a long run cost no more than the step each second."""
    await fill(scheduler, 2)
    await scheduler.on_demand.step()
    assert not scheduler.on_demand.has_released()
    before = scheduler.client.info("commandstats").get("cmdstat_hmget", {}).get("calls", 0)
    for _ in range(5):
        await scheduler.on_demand.release_more()
    assert scheduler.client.info("commandstats").get("cmdstat_hmget", {}).get("calls", 0) == before
