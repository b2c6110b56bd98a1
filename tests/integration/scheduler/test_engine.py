"""The engine on a real Redis: what fires when time passes, jumps or stands still."""

import asyncio
import gc
import time

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.health_probe import HealthProbe
from financehub_shared.core.clock import ManualClock
from financehub_shared.redis import keys
from financehub_shared.schedules import show_schedule
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule

OTHER = "5d1c1a64-8a63-5a0e-9b0a-000000000002"


def allow(**spec: object) -> dict[str, object]:
    """Every minute, overlaps allowed."""
    return {"concurrencyPolicy": "Allow", **spec}


async def test_it_fires_at_each_due_time(scheduler: Scheduler) -> None:
    """A schedule fires once at every due time, never before, and starts with the first one after its creation."""
    await scheduler.load(schedule(**allow()))
    assert scheduler.due() == []
    await scheduler.pass_time(59.4)
    assert scheduler.due() == []
    await scheduler.pass_time(0.1)
    assert scheduler.due() == [60]
    for _ in range(3):
        await scheduler.pass_time(60)
    assert scheduler.due() == [60, 120, 180, 240]


async def test_it_knows_how_long_it_may_sleep(scheduler: Scheduler) -> None:
    """The loop sleeps until the next due time, never longer than a second: so it notices a clock that jumps."""
    await scheduler.load(schedule())
    assert await scheduler.engine.step() == 1.0
    await scheduler.pass_time(59.2)
    assert await scheduler.engine.step() == pytest.approx(0.3)


async def test_jitter_delays_and_keeps_identity(scheduler: Scheduler) -> None:
    """A jittered run is enqueued late by its offset; due time and message id are those of the plain due time."""
    jittered = schedule(**allow(jitterSeconds=50))
    offset = jittered.timing.offset
    assert 1 < offset < 49
    await scheduler.load(jittered)
    await scheduler.pass_time(59.5 + offset - 0.01)
    assert scheduler.due() == []
    await scheduler.pass_time(0.02)
    assert scheduler.due() == [60]
    assert messages(scheduler.client)[0]["message_id"] == schedule().message_id(str(int(T + 60) * 1000))


async def test_suspended_is_silent_and_not_made_up_for(scheduler: Scheduler) -> None:
    """A suspended schedule fires nothing, and what came due meanwhile is not caught up when it is resumed."""
    await scheduler.load(schedule(**allow(suspend=True)))
    await scheduler.pass_time(600)
    await scheduler.load(schedule(**allow()), initial=False)
    assert scheduler.due() == []
    await scheduler.pass_time(60)
    assert scheduler.due() == [660]


@pytest.mark.parametrize(
    ("catch_up", "fired", "missed"),
    [("None", [], "5"), ("Latest", [300], "4"), ("All", [60, 120, 180, 240, 300], None)],
)
async def test_a_machine_that_slept(
    scheduler: Scheduler, catch_up: str, fired: list[float], missed: str | None
) -> None:
    """After a sleep of some minutes that monotonic time has not seen, `catchUp` decides, and the rest is counted."""
    await scheduler.load(schedule(**allow(catchUp=catch_up)))
    scheduler.clock.set_wall(T + 330)
    await scheduler.settle()
    assert scheduler.due() == fired
    assert scheduler.field(UID, "missed") == missed
    await scheduler.pass_time(30)
    assert scheduler.due() == [*fired, 360]


async def test_a_clock_that_jumps_leaves_the_scheduler_ready(scheduler: Scheduler) -> None:
    """After a jump of the wall clock, small or large, what the source has shown is still registered."""
    await scheduler.load(schedule())
    for seconds in (0.5, 3_600):
        scheduler.clock.set_wall(scheduler.clock.now() + seconds)
        await scheduler.settle()
        assert scheduler.engine.settled


async def test_a_clock_set_back_doubles_nothing(scheduler: Scheduler) -> None:
    """Due times that come a second time, because the clock was set back, do not run again; the next new one does."""
    await scheduler.load(schedule(**allow()))
    await scheduler.pass_time(59.5)
    await scheduler.pass_time(60)
    scheduler.clock.set_wall(T + 0.5)
    for _ in range(3):
        await scheduler.pass_time(60)
    assert scheduler.due() == [60, 120, 180]


async def test_a_clock_set_back_doubles_nothing_over_a_restart(scheduler: Scheduler, second: Scheduler) -> None:
    """A scheduler that starts after the clock was set back resumes at the mark, not at the clock."""
    await scheduler.load(schedule(**allow()))
    await scheduler.pass_time(119.5)
    scheduler.clock.set_wall(T + 0.5)
    await second.load(schedule(**allow()))
    await second.pass_time(119.6)
    assert scheduler.due() == [120]
    await second.pass_time(60)
    assert scheduler.due() == [120, 180]


@pytest.mark.parametrize(("catch_up", "fired"), [("None", []), ("Latest", [300]), ("All", [120, 180, 240, 300])])
async def test_downtime_is_caught_up(
    scheduler: Scheduler, second: Scheduler, catch_up: str, fired: list[float]
) -> None:
    """A scheduler that comes up after downtime resumes at the high-water mark and catches up as configured."""
    await scheduler.load(schedule(**allow(catchUp=catch_up)))
    await scheduler.pass_time(59.5)
    scheduler.clock.advance(270)
    await second.load(schedule(**allow(catchUp=catch_up)))
    assert scheduler.due() == [60, *fired]


async def test_a_deadline_limits_the_catch_up(scheduler: Scheduler, second: Scheduler) -> None:
    """A missed run that is later than `startingDeadlineSeconds` is not made up for."""
    spec = allow(catchUp="All", startingDeadlineSeconds=100)
    await scheduler.load(schedule(**spec))
    scheduler.clock.advance(330)
    await second.load(schedule(**spec))
    assert scheduler.due() == [240, 300]
    assert scheduler.field(UID, "missed") == "3"


@pytest.mark.parametrize("down", [False, True])
async def test_an_edit_never_fires_retroactively(scheduler: Scheduler, second: Scheduler, down: bool) -> None:
    """After an edit only due times after it count, whether it was made while a scheduler ran or while all were down."""
    await scheduler.load(schedule(**allow(schedule="@yearly", catchUp="All")))
    scheduler.clock.advance(330)
    edited = schedule(**allow(catchUp="All"))
    await (second.load(edited) if down else scheduler.load(edited, initial=False))
    driver = second if down else scheduler
    assert scheduler.due() == []
    await driver.pass_time(30)
    assert scheduler.due() == [360]


async def test_an_edit_within_the_jitter_keeps_the_pending_run(scheduler: Scheduler) -> None:
    """A run that waits for its jitter when an unrelated field is edited is still to come, and comes once."""
    first, second = schedule(**allow(jitterSeconds=50)), schedule(**allow(jitterSeconds=50, retries=1))
    await scheduler.load(first)
    await scheduler.pass_time(59.5 + first.timing.offset / 2)
    await scheduler.load(second, initial=False)
    await scheduler.pass_time(first.timing.offset / 2 + 0.01)
    assert scheduler.due() == [60]


async def test_deleted_and_created_again_starts_anew(scheduler: Scheduler) -> None:
    """A schedule that was deleted and comes back catches nothing up and counts from zero."""
    await scheduler.load(schedule(**allow(catchUp="All")))
    await scheduler.pass_time(59.5)
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.settle()
    assert scheduler.client.hget(keys.HIGH_WATER_MARKS, UID) is None
    await scheduler.pass_time(300)
    assert scheduler.due() == [60]
    await scheduler.load(schedule(**allow(catchUp="All")), initial=False)
    assert scheduler.due() == [60]
    await scheduler.pass_time(60)
    assert scheduler.due() == [60, 420]
    assert scheduler.field(UID, "runs") == "1"


@pytest.mark.parametrize("down", [False, True])
async def test_a_withdrawn_schedule_goes_on_from_now(scheduler: Scheduler, second: Scheduler, down: bool) -> None:
    """What its source refuses does not run, keeps its counters, says why, and once mended makes up for nothing."""
    spec = allow(catchUp="All")
    await scheduler.load(schedule(**spec))
    await second.load(schedule(**spec))
    await scheduler.pass_time(59.5)
    scheduler.engine.apply(Changes(deactivated={UID: "spec.schedule: never comes"}))
    await scheduler.settle()
    # the other one still holds the old state
    for _ in range(3):
        scheduler.clock.advance(60)
        await second.settle()
        await scheduler.settle()
    assert scheduler.due() == [60]
    assert show_schedule(scheduler.client, "demo").problem == "spec.schedule: never comes"
    driver = second if down else scheduler
    await driver.load(schedule(**spec))
    assert scheduler.due() == [60]
    await driver.pass_time(60)
    assert scheduler.due() == [60, 300]
    assert show_schedule(scheduler.client, "demo").runs == 2


async def test_the_newest_word_on_a_schedule_counts(scheduler: Scheduler) -> None:
    """Of changes that come while Redis is away, each schedule's last one holds: there, withdrawn, gone, there again."""
    one = schedule(**allow())
    for changes in (Changes([one]), Changes(deactivated={UID: "why"}), Changes(removed=[UID]), Changes([one])):
        scheduler.engine.apply(changes)
    await scheduler.settle()
    await scheduler.pass_time(60)
    assert scheduler.due() == [60]
    for changes in (Changes(removed=[UID]), Changes([one]), Changes(deactivated={UID: "why"})):
        scheduler.engine.apply(changes)
    await scheduler.settle()
    await scheduler.pass_time(60)
    assert scheduler.due() == [60]


async def test_a_source_may_know_since_when_a_schedule_is_ours(scheduler: Scheduler) -> None:
    """What Redis has never seen, or lost, is made up for from the moment its source names."""
    scheduler.engine.apply(Changes([schedule(**allow(catchUp="All"))], since={UID: T - 130}, initial=True))
    await scheduler.settle()
    assert scheduler.due() == [-120, -60, 0]


async def test_it_is_settled_when_the_source_has_shown_everything(scheduler: Scheduler) -> None:
    """A part of the schedules is not all of them, however far they are taken over."""
    scheduler.engine.apply(Changes([schedule(**allow())], complete=False))
    await scheduler.settle()
    assert not scheduler.engine.settled
    scheduler.engine.apply(Changes())
    await scheduler.settle()
    assert scheduler.engine.settled


@pytest.mark.parametrize(("away", "fired"), [(60, [60, 120]), (100, [60])])
async def test_what_appears_unclaimed_is_new(
    scheduler: Scheduler, second: Scheduler, away: float, fired: list[float]
) -> None:
    """A schedule that appears while a scheduler runs, and was claimed by nobody for long, starts anew."""
    await scheduler.load(schedule(**allow(catchUp="All")))
    await scheduler.pass_time(59.5)
    await scheduler.registry.claim([UID], scheduler.clock.now())
    scheduler.clock.advance(away)
    await second.load(schedule(**allow(catchUp="All")), initial=False)
    assert scheduler.due() == fired


async def test_a_clock_far_ahead_fires_nothing_and_leaves_no_mark(redis_url: str, redis_client: "redis.Redis") -> None:
    """A scheduler a day ahead of Redis's clock enqueues nothing and says so once; set right, it misses no due time."""
    clock = ManualClock(time.time() // 60 * 60 + 86_400.5)
    driver = build(redis_url, clock, redis_client, ahead_limit=60)
    health = HealthProbe(driver.engine, clock)
    with capture_logs() as logs:
        await driver.load(schedule(**allow()))
        for _ in range(20):
            await driver.pass_time(5)
    assert messages(redis_client) == []
    assert [entry["event"] for entry in logs].count("clock_skew_detected") == 1
    assert ["far ahead of Redis" in why for why in health.ready()] == [True]
    marked = float(redis_client.hget(keys.HIGH_WATER_MARKS, UID) or 0) / 1000
    assert marked == pytest.approx(time.time(), abs=10)
    # to the next minute and no further: a second one may be beyond the limit again
    due = (marked // 60 + 1) * 60
    clock.advance(5)
    clock.set_wall(due + 0.5)
    await driver.settle()
    assert [message["options"]["due_at"] / 1000 for message in messages(redis_client)] == [due]
    clock.advance(10)
    clock.set_wall(marked)
    await driver.settle()
    assert health.ready() == health.live() == []
    await driver.connection.aclose()


async def test_two_schedulers_share_the_work(scheduler: Scheduler, second: Scheduler) -> None:
    """Whichever scheduler comes first enqueues a due run; the other finds it done, and both go on."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    scheduler.clock.advance(59.5)
    for first, last in ((scheduler, second), (second, scheduler)):
        await first.settle()
        await last.settle()
        scheduler.clock.advance(60)
    assert scheduler.due() == [60, 120]


async def test_a_late_scheduler_counts_no_misses(scheduler: Scheduler, second: Scheduler) -> None:
    """A scheduler that was stopped while another went on finds everything done, and counts nothing as missed."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    for _ in range(5):
        scheduler.clock.advance(60)
        await second.settle()
    await scheduler.settle()
    assert scheduler.due() == [60, 120, 180, 240, 300]
    assert scheduler.field(UID, "missed") is None


async def test_a_deletion_seen_by_one_stops_the_other(scheduler: Scheduler, second: Scheduler) -> None:
    """A schedule that one scheduler saw deleted does not fire from another whose look at the folder is older."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.settle()
    await second.pass_time(60)
    assert scheduler.due() == []
    assert second.engine.states[UID].superseded_at is not None


async def test_an_edit_seen_by_one_holds_for_the_other(scheduler: Scheduler, second: Scheduler) -> None:
    """Once one scheduler has registered an edit, another that still holds the old spec enqueues nothing."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    await scheduler.load(schedule(**allow(schedule="@daily")), initial=False)
    await second.pass_time(60)
    assert scheduler.due() == []


async def test_schedulers_with_different_folders_leave_nothing_silent(scheduler: Scheduler, second: Scheduler) -> None:
    """A schedule that only one folder still holds goes on after another scheduler deleted it."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.settle()
    await second.pass_time(60)
    second.engine.reclaim(second.clock.monotonic())
    await second.settle()
    await second.pass_time(60)
    assert scheduler.due() == [120]


async def test_a_truth_that_was_late_elsewhere_is_told_again(scheduler: Scheduler, second: Scheduler) -> None:
    """Where a late scheduler registered the old spec over the new one, whoever has looked again since goes on."""
    old, new = schedule(**allow()), schedule(**allow(schedule="@every 30s"))
    await scheduler.load(old)
    await scheduler.load(new, initial=False)
    await second.load(old)
    await scheduler.pass_time(60)
    superseded = scheduler.clock.monotonic()
    scheduler.engine.reclaim(superseded - 1)
    await scheduler.pass_time(60)
    assert scheduler.due() == []
    scheduler.engine.reclaim(superseded + 1)
    await scheduler.settle()
    await scheduler.pass_time(30)
    assert scheduler.due() == [150]


async def test_a_redis_that_lost_everything(scheduler: Scheduler) -> None:
    """After Redis lost its data the engine registers its schedules again and loses no due time."""
    await scheduler.load(schedule(**allow()))
    await scheduler.pass_time(59.5)
    scheduler.client.flushall()
    await scheduler.pass_time(60)
    assert scheduler.due() == [120]
    await scheduler.pass_time(60)
    assert scheduler.due() == [120, 180]


async def test_claims_find_what_redis_lost(scheduler: Scheduler) -> None:
    """A claim names the schedules that Redis does not know, and renews the others."""
    await scheduler.load(schedule(), schedule("other", uid=OTHER))
    scheduler.client.zrem(keys.SCHEDULES, OTHER)
    scheduler.clock.advance(1_000)
    assert await scheduler.registry.claim([UID, OTHER], scheduler.clock.now()) == [OTHER]
    assert scheduler.client.zscore(keys.SCHEDULES, UID) == scheduler.clock.now()
    assert scheduler.client.zscore(keys.SCHEDULES, OTHER) is None


async def test_end_time_and_max_runs_end_a_schedule(scheduler: Scheduler) -> None:
    """After its end or its last run a schedule is due no more, and says why where there is a reason."""
    await scheduler.load(
        schedule(**allow(endTime="2027-01-15T08:02:00Z")), schedule("other", uid=OTHER, **allow(maxRuns=1, queue="q2"))
    )
    for _ in range(4):
        await scheduler.pass_time(60)
    assert scheduler.due() == [60, 120]
    assert scheduler.due("q2") == [60]
    assert scheduler.engine.states[OTHER].problem == "maxRuns reached"


async def test_a_calendar_that_ends_stops_its_schedule_loudly(scheduler: Scheduler) -> None:
    """Beyond the calendar's last day a schedule does not run, says so, and hinders no other."""
    scheduler.clock.set_wall(2_000_000_000.5)
    await scheduler.load(schedule(**allow(calendar="XNYS")), schedule("other", uid=OTHER, **allow(queue="q2")))
    assert "XNYS is known from" in scheduler.engine.states[UID].problem
    await scheduler.pass_time(60)
    assert scheduler.due() == []
    assert len(scheduler.due("q2")) == 1


@pytest.mark.parametrize(("catch_up", "fired"), [("None", []), ("Latest", [120]), ("All", [60, 120])])
async def test_a_refused_schedule_waits_until_it_no_longer_is(
    scheduler: Scheduler, catch_up: str, fired: list[float]
) -> None:
    """What is refused does not fire, says why (in the log once), hinders no other, and is caught up as configured."""
    scheduler.refused["default/demo"] = "no such symbol"
    with capture_logs() as logs:
        await scheduler.load(schedule(**allow(catchUp=catch_up)), schedule("other", uid=OTHER, **allow(queue="q2")))
        for _ in range(2):
            await scheduler.pass_time(60)
            scheduler.engine.recheck_arguments()
    await scheduler.publisher.step()
    assert [entry["problem"] for entry in logs if entry["event"] == "schedule_refused"] == ["no such symbol"]
    assert show_schedule(scheduler.client, "demo").problem == "no such symbol"
    assert (scheduler.due(), scheduler.due("q2")) == ([], [60, 120])
    await scheduler.pass_time(15)
    scheduler.refused.clear()
    scheduler.engine.recheck_arguments()
    await scheduler.settle()
    assert scheduler.due() == fired
    await scheduler.pass_time(45)
    await scheduler.publisher.step()
    assert scheduler.due() == [*fired, 180]
    assert show_schedule(scheduler.client, "demo").problem == ""


async def test_a_schedule_is_refused_while_it_runs(scheduler: Scheduler) -> None:
    """A schedule whose arguments come to be refused fires no more from then on."""
    await scheduler.load(schedule(**allow()))
    await scheduler.pass_time(60)
    scheduler.refused["default/demo"] = "no longer active"
    scheduler.engine.recheck_arguments()
    await scheduler.pass_time(60)
    assert scheduler.due() == [60]


async def test_a_burst_is_one_batch_after_another(scheduler: Scheduler) -> None:
    """A thousand schedules at one instant are all enqueued in one go of the loop, each exactly once."""
    many = [schedule(f"s{n}", uid=f"00000000-0000-5000-8000-{n:012d}", **allow()) for n in range(1_000)]
    await scheduler.load(*many)
    await scheduler.pass_time(59.5)
    names = [message["options"]["schedule"] for message in messages(scheduler.client)]
    assert sorted(names) == sorted(each.name for each in many)


async def test_batches_that_fail_together_are_one_outage(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Redis goes away under several batches asyncio has nothing to complain of, and all of them come again."""
    many = [schedule(f"s{n}", uid=f"00000000-0000-5000-8000-{n:012d}", **allow()) for n in range(500)]
    await scheduler.load(*many)

    async def fail(*_: object) -> list[str]:
        raise redis.ConnectionError("gone")

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    with monkeypatch.context() as away:
        away.setattr(scheduler.enqueuer, "submit", fail)
        scheduler.clock.advance(59.5)
        await scheduler.engine.step()
        gc.collect()
    assert complaints == []
    await scheduler.pass_time(0.5)
    assert len(messages(scheduler.client)) == 500


async def test_records_wait_for_each_other(redis_url: str, redis_client: "redis.Redis") -> None:
    """Runs a little apart are enqueued at once each, and recorded together soon after the first."""
    driver = build(redis_url, ManualClock(T + 0.5), redis_client, record_delay_seconds=0.25)
    first, second = schedule(), schedule("other", uid=OTHER, startTime="2027-01-15T08:01:01Z")
    await driver.load(first, second)

    def recorded() -> list[int]:
        return [redis_client.llen(keys.schedule_recent(uid)) for uid in (UID, OTHER)]

    driver.clock.set_wall(T + 60.9)
    await driver.settle()
    await driver.pass_time(0.1)
    assert (driver.due(), recorded()) == ([60, 61], [0, 0])
    assert await driver.engine.step() == pytest.approx(0.15)
    await driver.pass_time(0.15)
    assert recorded() == [1, 1]
    await driver.connection.aclose()


async def test_a_record_that_comes_late_brings_nothing_back(redis_url: str, redis_client: "redis.Redis") -> None:
    """Of a schedule that is deleted before its last run is recorded, nothing stays that would not expire."""
    driver = build(redis_url, ManualClock(T + 0.5), redis_client, record_delay_seconds=0.25)
    await driver.load(schedule())
    await driver.pass_time(59.6)
    driver.engine.apply(Changes(removed=[UID]))
    await driver.settle()
    await driver.pass_time(0.25)
    assert driver.due() == [60]
    assert not redis_client.exists(keys.schedule_recent(UID))
    assert redis_client.ttl(keys.schedule(UID)) > 0
    await driver.connection.aclose()


async def test_what_was_enqueued_is_recorded_before_the_end(scheduler: Scheduler) -> None:
    """A scheduler that is told to stop in the midst of a burst logs and records all that it has enqueued."""
    many = [schedule(f"s{n}", uid=f"00000000-0000-5000-8000-{n:012d}", **allow()) for n in range(300)]
    await scheduler.load(*many)
    scheduler.clock.advance(59.5)
    with capture_logs() as logs:
        await scheduler.engine.step()
        scheduler.engine.stop()
        await scheduler.engine.run()
    assert len(messages(scheduler.client)) == 300
    assert [entry["event"] for entry in logs].count("run_enqueued") == 300
    assert all(scheduler.client.exists(keys.schedule_recent(each.uid)) for each in many)


async def test_metrics(scheduler: Scheduler) -> None:
    """Lag, misses, skips and enqueues are counted under the schedule's name, and go with it."""
    await scheduler.load(schedule(catchUp="All"))
    scheduler.clock.advance(140)
    await scheduler.settle()
    await scheduler.publisher.step()

    def value(name: str, **labels: str) -> float | None:
        return scheduler.metrics.registry.get_sample_value(f"financehub_{name}", labels)

    named = {"scheduledtask": "default/demo"}
    assert value("schedule_lag_seconds_count", **named) == 1
    assert value("schedule_lag_seconds_sum", **named) == pytest.approx(80.5)
    assert value("schedule_skipped_total", reason="overlap", **named) == 1
    assert value("schedule_missed_total", **named) == 0
    assert value("messages_enqueued_total", queue="q", actor="demo_task") == 1
    assert value("schedule_next_run_timestamp_seconds", **named) == T + 180
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.settle()
    assert value("schedule_lag_seconds_count", **named) is None
