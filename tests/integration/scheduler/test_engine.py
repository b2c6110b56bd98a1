"""Tests of the runs that the engine enqueues on a real Redis when time passes, jumps or stops."""

import asyncio
import gc
import time

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.health_probe import HealthProbe
from financehub_scheduler.redis.enqueuer import EnqueueResult
from financehub_shared.core.clock import ManualClock
from financehub_shared.redis import keys
from financehub_shared.schedules import show_schedule
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule

OTHER = "5d1c1a64-8a63-5a0e-9b0a-000000000002"


def allow(**spec: object) -> dict[str, object]:
    """Return a spec that allows overlaps."""
    return {"concurrencyPolicy": "Allow", **spec}


async def test_engine_at_each_due_time_enqueues_one_run(scheduler: Scheduler) -> None:
    """A run is enqueued at every due time and never before, beginning after the creation of the schedule."""
    await scheduler.load(schedule(**allow()))
    assert scheduler.due() == []
    await scheduler.pass_time(59.4)
    assert scheduler.due() == []
    await scheduler.pass_time(0.1)
    assert scheduler.due() == [60]
    for _ in range(3):
        await scheduler.pass_time(60)
    assert scheduler.due() == [60, 120, 180, 240]


async def test_step_returns_the_seconds_until_the_next_due_time(scheduler: Scheduler) -> None:
    """The loop sleeps until the next due time, but at most a second, so that it notices a clock that jumps."""
    await scheduler.load(schedule())
    assert await scheduler.engine.step() == 1.0
    await scheduler.pass_time(59.2)
    assert await scheduler.engine.step() == pytest.approx(0.3)


async def test_engine_with_jitter_delays_the_run_and_keeps_its_id(scheduler: Scheduler) -> None:
    """Jitter delays the enqueue by the offset. The due time and message id do not depend on it."""
    jittered = schedule(**allow(jitterSeconds=50))
    offset = jittered.recurrence.offset
    assert 1 < offset < 49
    await scheduler.load(jittered)
    await scheduler.pass_time(59.5 + offset - 0.01)
    assert scheduler.due() == []
    await scheduler.pass_time(0.02)
    assert scheduler.due() == [60]
    assert messages(scheduler.client)[0]["message_id"] == schedule().message_id(str(int(T + 60) * 1000))


async def test_engine_with_suspended_schedule_enqueues_nothing_and_catches_nothing_up(scheduler: Scheduler) -> None:
    """A suspended schedule enqueues nothing, and does not catch up on the due times in between when it resumes."""
    await scheduler.load(schedule(**allow(suspend=True)))
    await scheduler.pass_time(600)
    await scheduler.load(schedule(**allow()), keep_known_state=False)
    assert scheduler.due() == []
    await scheduler.pass_time(60)
    assert scheduler.due() == [660]


@pytest.mark.parametrize(
    ("catch_up", "fired", "missed"),
    [("None", [], "5"), ("Latest", [300], "4"), ("All", [60, 120, 180, 240, 300], None)],
)
async def test_engine_after_sleep_of_the_machine_follows_catch_up(
    scheduler: Scheduler, catch_up: str, fired: list[float], missed: str | None
) -> None:
    """After a sleep that monotonic time does not count, `catchUp` decides, and missed due times are counted."""
    await scheduler.load(schedule(**allow(catchUp=catch_up)))
    scheduler.clock.set_wall(T + 330)
    await scheduler.step_until_idle()
    assert scheduler.due() == fired
    assert scheduler.field(UID, "missed") == missed
    await scheduler.pass_time(30)
    assert scheduler.due() == [*fired, 360]


async def test_engine_after_clock_jump_stays_registered(scheduler: Scheduler) -> None:
    """After a jump of the wall clock, small or large, all schedules are still registered."""
    await scheduler.load(schedule())
    for seconds in (0.5, 3_600):
        scheduler.clock.set_wall(scheduler.clock.now() + seconds)
        await scheduler.step_until_idle()
        assert scheduler.engine.all_registered


async def test_engine_after_clock_set_back_repeats_no_run(scheduler: Scheduler) -> None:
    """Due times that occur again because the clock was set back do not run again. The next new one does."""
    await scheduler.load(schedule(**allow()))
    await scheduler.pass_time(59.5)
    await scheduler.pass_time(60)
    scheduler.clock.set_wall(T + 0.5)
    for _ in range(3):
        await scheduler.pass_time(60)
    assert scheduler.due() == [60, 120, 180]


async def test_engine_started_after_clock_set_back_repeats_no_run(scheduler: Scheduler, second: Scheduler) -> None:
    """A scheduler that starts after the clock was set back resumes at the high-water mark, not at the clock time."""
    await scheduler.load(schedule(**allow()))
    await scheduler.pass_time(119.5)
    scheduler.clock.set_wall(T + 0.5)
    await second.load(schedule(**allow()))
    await second.pass_time(119.6)
    assert scheduler.due() == [120]
    await second.pass_time(60)
    assert scheduler.due() == [120, 180]


@pytest.mark.parametrize(("catch_up", "fired"), [("None", []), ("Latest", [300]), ("All", [120, 180, 240, 300])])
async def test_engine_after_downtime_follows_catch_up(
    scheduler: Scheduler, second: Scheduler, catch_up: str, fired: list[float]
) -> None:
    """A scheduler that starts after downtime resumes at the high-water mark and catches up as configured."""
    await scheduler.load(schedule(**allow(catchUp=catch_up)))
    await scheduler.pass_time(59.5)
    scheduler.clock.advance(270)
    await second.load(schedule(**allow(catchUp=catch_up)))
    assert scheduler.due() == [60, *fired]


async def test_engine_after_downtime_respects_the_deadline(scheduler: Scheduler, second: Scheduler) -> None:
    """A due run that is later than `startingDeadlineSeconds` is not caught up."""
    spec = allow(catchUp="All", startingDeadlineSeconds=100)
    await scheduler.load(schedule(**spec))
    scheduler.clock.advance(330)
    await second.load(schedule(**spec))
    assert scheduler.due() == [240, 300]
    assert scheduler.field(UID, "missed") == "3"


@pytest.mark.parametrize("down", [False, True])
async def test_engine_after_edit_runs_only_later_due_times(scheduler: Scheduler, second: Scheduler, down: bool) -> None:
    """After an edit only later due times run, whether or not a scheduler was running at the time of the edit."""
    await scheduler.load(schedule(**allow(schedule="@yearly", catchUp="All")))
    scheduler.clock.advance(330)
    edited = schedule(**allow(catchUp="All"))
    await (second.load(edited) if down else scheduler.load(edited, keep_known_state=False))
    driver = second if down else scheduler
    assert scheduler.due() == []
    await driver.pass_time(30)
    assert scheduler.due() == [360]


async def test_engine_with_edit_during_jitter_runs_the_pending_run_once(scheduler: Scheduler) -> None:
    """If an unrelated field is edited while a run waits for its jitter, the run still happens, once."""
    first, second = schedule(**allow(jitterSeconds=50)), schedule(**allow(jitterSeconds=50, retries=1))
    await scheduler.load(first)
    await scheduler.pass_time(59.5 + first.recurrence.offset / 2)
    await scheduler.load(second, keep_known_state=False)
    await scheduler.pass_time(first.recurrence.offset / 2 + 0.01)
    assert scheduler.due() == [60]


async def test_engine_with_recreated_schedule_starts_from_zero(scheduler: Scheduler) -> None:
    """A schedule that is deleted and created again does not catch up and counts from zero."""
    await scheduler.load(schedule(**allow(catchUp="All")))
    await scheduler.pass_time(59.5)
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    assert scheduler.client.hget(keys.HIGH_WATER_MARKS, UID) is None
    await scheduler.pass_time(300)
    assert scheduler.due() == [60]
    await scheduler.load(schedule(**allow(catchUp="All")), keep_known_state=False)
    assert scheduler.due() == [60]
    await scheduler.pass_time(60)
    assert scheduler.due() == [60, 420]
    assert scheduler.field(UID, "runs") == "1"


@pytest.mark.parametrize("down", [False, True])
async def test_engine_with_deactivated_schedule_pauses_it(scheduler: Scheduler, second: Scheduler, down: bool) -> None:
    """A deactivated schedule keeps its counters and shows the reason. Once it is valid again, it does not catch up."""
    spec = allow(catchUp="All")
    await scheduler.load(schedule(**spec))
    await second.load(schedule(**spec))
    await scheduler.pass_time(59.5)
    scheduler.engine.apply(Changes(deactivated={UID: "spec.schedule: never comes"}))
    await scheduler.step_until_idle()
    # The other scheduler still has the old spec.
    for _ in range(3):
        scheduler.clock.advance(60)
        await second.step_until_idle()
        await scheduler.step_until_idle()
    assert scheduler.due() == [60]
    assert show_schedule(scheduler.client, "demo").problem == "spec.schedule: never comes"
    driver = second if down else scheduler
    await driver.load(schedule(**spec))
    assert scheduler.due() == [60]
    await driver.pass_time(60)
    assert scheduler.due() == [60, 300]
    assert show_schedule(scheduler.client, "demo").runs == 2


async def test_apply_of_several_changes_keeps_the_newest(scheduler: Scheduler) -> None:
    """If several changes to a schedule are pending, only the last one has an effect."""
    one = schedule(**allow())
    for changes in (Changes([one]), Changes(deactivated={UID: "why"}), Changes(removed=[UID]), Changes([one])):
        scheduler.engine.apply(changes)
    await scheduler.step_until_idle()
    await scheduler.pass_time(60)
    assert scheduler.due() == [60]
    for changes in (Changes(removed=[UID]), Changes([one]), Changes(deactivated={UID: "why"})):
        scheduler.engine.apply(changes)
    await scheduler.step_until_idle()
    await scheduler.pass_time(60)
    assert scheduler.due() == [60]


async def test_apply_with_since_catches_up_from_that_time(scheduler: Scheduler) -> None:
    """A schedule that Redis does not know catches up from the time that its source specifies."""
    scheduler.engine.apply(Changes([schedule(**allow(catchUp="All"))], since={UID: T - 130}, keep_known_state=True))
    await scheduler.step_until_idle()
    assert scheduler.due() == [-120, -60, 0]


async def test_all_registered_with_incomplete_source_is_false(scheduler: Scheduler) -> None:
    """`all_registered` is false until the source has reported everything."""
    scheduler.engine.apply(Changes([schedule(**allow())], complete=False))
    await scheduler.step_until_idle()
    assert not scheduler.engine.all_registered
    scheduler.engine.apply(Changes())
    await scheduler.step_until_idle()
    assert scheduler.engine.all_registered


@pytest.mark.parametrize(("away", "fired"), [(60, [60, 120]), (100, [60])])
async def test_apply_of_a_schedule_unclaimed_for_long_starts_from_zero(
    scheduler: Scheduler, second: Scheduler, away: float, fired: list[float]
) -> None:
    """A schedule that appears while a scheduler runs, and that no scheduler has claimed for long, starts from zero."""
    await scheduler.load(schedule(**allow(catchUp="All")))
    await scheduler.pass_time(59.5)
    await scheduler.registry.claim([UID], scheduler.clock.now())
    scheduler.clock.advance(away)
    await second.load(schedule(**allow(catchUp="All")), keep_known_state=False)
    assert scheduler.due() == fired


async def test_engine_with_clock_far_ahead_enqueues_nothing_and_moves_no_mark(
    redis_url: str, redis_client: "redis.Redis"
) -> None:
    """A scheduler a day ahead of Redis enqueues nothing and logs this once. Once corrected, it misses no due time."""
    clock = ManualClock(time.time() // 60 * 60 + 86_400.5)
    driver = build(redis_url, clock, redis_client, ahead_limit=60)
    health = HealthProbe(driver.engine, clock)
    with capture_logs() as logs:
        await driver.load(schedule(**allow()))
        for _ in range(20):
            await driver.pass_time(5)
    assert messages(redis_client) == []
    assert [entry["event"] for entry in logs].count("clock_skew_detected") == 1
    assert ["far ahead of the clock of Redis" in problem for problem in health.readiness()] == [True]
    marked = float(redis_client.hget(keys.HIGH_WATER_MARKS, UID) or 0) / 1000
    assert marked == pytest.approx(time.time(), abs=60)
    # Advance only to the next minute, because the one after that may be beyond the limit again.
    due = (marked // 60 + 1) * 60
    clock.advance(5)
    clock.set_wall(due + 0.5)
    await driver.step_until_idle()
    assert [message["options"]["due_at"] / 1000 for message in messages(redis_client)] == [due]
    clock.advance(10)
    clock.set_wall(marked)
    await driver.step_until_idle()
    assert health.readiness() == health.liveness() == []
    await driver.connection.aclose()


async def test_two_engines_enqueue_each_run_once(scheduler: Scheduler, second: Scheduler) -> None:
    """The first scheduler enqueues a due run, the second finds it already enqueued, and both continue."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    scheduler.clock.advance(59.5)
    for first, last in ((scheduler, second), (second, scheduler)):
        await first.step_until_idle()
        await last.step_until_idle()
        scheduler.clock.advance(60)
    assert scheduler.due() == [60, 120]


async def test_engine_behind_another_counts_nothing_as_missed(scheduler: Scheduler, second: Scheduler) -> None:
    """A scheduler that was stopped while another continued finds all due times settled and counts none as missed."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    for _ in range(5):
        scheduler.clock.advance(60)
        await second.step_until_idle()
    await scheduler.step_until_idle()
    assert scheduler.due() == [60, 120, 180, 240, 300]
    assert scheduler.field(UID, "missed") is None


async def test_engine_with_late_deletion_keeps_the_schedule_that_another_has_created_since(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """A deletion that Redis gets late does not delete the schedule that was created since, so no run is repeated."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    await scheduler.pass_time(59.5)
    # The second one notices the same changes, but cannot reach Redis for a while.
    second.engine.apply(Changes(removed=[UID]))
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    scheduler.clock.advance(1)
    second.engine.apply(Changes([schedule(**allow())]))
    await scheduler.load(schedule(**allow()), keep_known_state=False)
    await scheduler.pass_time(60)
    assert scheduler.due() == [60, 120]
    await second.step_until_idle()
    await second.pass_time(60)
    assert scheduler.due() == [60, 120, 180]
    assert scheduler.field(UID, "runs") == "2"


async def test_engine_with_schedule_deleted_by_another_enqueues_nothing(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """A schedule that one scheduler has deleted is not run by another one that does not know of the deletion yet."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    await second.pass_time(60)
    assert scheduler.due() == []
    assert second.engine.states[UID].superseded_at is not None


async def test_engine_with_schedule_edited_by_another_enqueues_nothing(scheduler: Scheduler, second: Scheduler) -> None:
    """After one scheduler has registered an edit, another one with the old spec enqueues nothing."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    await scheduler.load(schedule(**allow(schedule="@daily")), keep_known_state=False)
    await second.pass_time(60)
    assert scheduler.due() == []


async def test_reclaim_with_different_sources_resumes_the_schedule(scheduler: Scheduler, second: Scheduler) -> None:
    """A schedule that only one of two folders still has continues after another scheduler deleted it."""
    for each in (scheduler, second):
        await each.load(schedule(**allow()))
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    await second.pass_time(60)
    second.engine.reregister_superseded(second.clock.monotonic())
    await second.step_until_idle()
    await second.pass_time(60)
    assert scheduler.due() == [120]


async def test_reclaim_of_a_confirmed_spec_registers_it_again(scheduler: Scheduler, second: Scheduler) -> None:
    """If a late scheduler registered an old spec over a new one, a scheduler that confirmed the new one restores it."""
    old, new = schedule(**allow()), schedule(**allow(schedule="@every 30s"))
    await scheduler.load(old)
    await scheduler.load(new, keep_known_state=False)
    await second.load(old)
    await scheduler.pass_time(60)
    superseded = scheduler.clock.monotonic()
    scheduler.engine.reregister_superseded(superseded - 1)
    await scheduler.pass_time(60)
    assert scheduler.due() == []
    scheduler.engine.reregister_superseded(superseded + 1)
    await scheduler.step_until_idle()
    await scheduler.pass_time(30)
    # At the moment of the restoration, the run of the late scheduler was due and not enqueued yet.
    assert scheduler.due() == [120, 150]


async def test_engine_after_data_loss_of_redis_registers_again(scheduler: Scheduler) -> None:
    """After Redis lost its data, the engine registers its schedules again and loses no due time."""
    await scheduler.load(schedule(**allow()))
    await scheduler.pass_time(59.5)
    scheduler.client.flushall()
    await scheduler.pass_time(60)
    assert scheduler.due() == [120]
    await scheduler.pass_time(60)
    assert scheduler.due() == [120, 180]


async def test_claim_of_unknown_schedules_returns_their_uids(scheduler: Scheduler) -> None:
    """A claim returns the schedules that Redis does not know, and renews the others."""
    await scheduler.load(schedule(), schedule("other", uid=OTHER))
    scheduler.client.zrem(keys.SCHEDULES, OTHER)
    scheduler.clock.advance(1_000)
    assert await scheduler.registry.claim([UID, OTHER], scheduler.clock.now()) == [OTHER]
    assert scheduler.client.zscore(keys.SCHEDULES, UID) == scheduler.clock.now()
    assert scheduler.client.zscore(keys.SCHEDULES, OTHER) is None


async def test_engine_after_end_time_or_max_runs_enqueues_nothing(scheduler: Scheduler) -> None:
    """After its end time or its last run, a schedule has no due times. `maxRuns` is shown as a reason."""
    await scheduler.load(
        schedule(**allow(endTime="2027-01-15T08:02:00Z")), schedule("other", uid=OTHER, **allow(maxRuns=1, queue="q2"))
    )
    for _ in range(4):
        await scheduler.pass_time(60)
    assert scheduler.due() == [60, 120]
    assert scheduler.due("q2") == [60]
    assert scheduler.engine.states[OTHER].problem == "maxRuns reached"


async def test_engine_beyond_the_calendar_stops_the_schedule_with_a_problem(scheduler: Scheduler) -> None:
    """After the last day of the calendar a schedule does not run, shows why, and does not affect the others."""
    scheduler.clock.set_wall(2_000_000_000.5)
    await scheduler.load(schedule(**allow(calendar="XNYS")), schedule("other", uid=OTHER, **allow(queue="q2")))
    assert "calendar XNYS covers only" in scheduler.engine.states[UID].problem
    await scheduler.pass_time(60)
    assert scheduler.due() == []
    assert len(scheduler.due("q2")) == 1


@pytest.mark.parametrize(("catch_up", "fired"), [("None", []), ("Latest", [120]), ("All", [60, 120])])
async def test_engine_with_refused_arguments_waits_and_then_catches_up(
    scheduler: Scheduler, catch_up: str, fired: list[float]
) -> None:
    """Refused arguments stop only their schedule and are logged once. When they are valid again, it catches up."""
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
    await scheduler.step_until_idle()
    assert scheduler.due() == fired
    await scheduler.pass_time(45)
    await scheduler.publisher.step()
    assert scheduler.due() == [*fired, 180]
    assert show_schedule(scheduler.client, "demo").problem == ""


async def test_recheck_arguments_with_new_refusal_stops_the_schedule(scheduler: Scheduler) -> None:
    """A schedule whose arguments become invalid does not run from then on."""
    await scheduler.load(schedule(**allow()))
    await scheduler.pass_time(60)
    scheduler.refused["default/demo"] = "no longer active"
    scheduler.engine.recheck_arguments()
    await scheduler.pass_time(60)
    assert scheduler.due() == [60]


async def test_engine_with_a_thousand_due_schedules_enqueues_all(scheduler: Scheduler) -> None:
    """A thousand schedules that are due at the same moment are each enqueued exactly once."""
    many = [schedule(f"s{n}", uid=f"00000000-0000-5000-8000-{n:012d}", **allow()) for n in range(1_000)]
    await scheduler.load(*many)
    await scheduler.pass_time(59.5)
    names = [message["options"]["schedule"] for message in messages(scheduler.client)]
    assert sorted(names) == sorted(each.name for each in many)


async def test_engine_with_failing_batches_puts_all_runs_back(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Redis fails under several batches, every exception is retrieved and all runs are enqueued later."""
    many = [schedule(f"s{n}", uid=f"00000000-0000-5000-8000-{n:012d}", **allow()) for n in range(500)]
    await scheduler.load(*many)

    async def fail(*_: object) -> list[EnqueueResult]:
        raise redis.ConnectionError("gone")

    unretrieved: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unretrieved.append(context))
    with monkeypatch.context() as outage:
        outage.setattr(scheduler.enqueuer, "submit", fail)
        scheduler.clock.advance(59.5)
        await scheduler.engine.step()
        gc.collect()
    assert unretrieved == []
    await scheduler.pass_time(0.5)
    assert len(messages(scheduler.client)) == 500


async def test_records_of_nearby_runs_are_written_together(redis_url: str, redis_client: "redis.Redis") -> None:
    """Runs a short time apart are enqueued immediately and recorded together soon after the first one."""
    driver = build(redis_url, ManualClock(T + 0.5), redis_client, record_delay_seconds=0.25)
    first, second = schedule(), schedule("other", uid=OTHER, startTime="2027-01-15T08:01:01Z")
    await driver.load(first, second)

    def recorded() -> list[int]:
        return [redis_client.llen(keys.schedule_recent(uid)) for uid in (UID, OTHER)]

    driver.clock.set_wall(T + 60.9)
    await driver.step_until_idle()
    await driver.pass_time(0.1)
    assert (driver.due(), recorded()) == ([60, 61], [0, 0])
    assert await driver.engine.step() == pytest.approx(0.15)
    await driver.pass_time(0.15)
    assert recorded() == [1, 1]
    await driver.connection.aclose()


async def test_record_after_deletion_of_the_schedule_leaves_no_key(redis_url: str, redis_client: "redis.Redis") -> None:
    """If a schedule is deleted before its last run is recorded, no key without an expiry remains."""
    driver = build(redis_url, ManualClock(T + 0.5), redis_client, record_delay_seconds=0.25)
    await driver.load(schedule())
    await driver.pass_time(59.6)
    driver.engine.apply(Changes(removed=[UID]))
    await driver.step_until_idle()
    await driver.pass_time(0.25)
    assert driver.due() == [60]
    assert not redis_client.exists(keys.schedule_recent(UID))
    assert redis_client.ttl(keys.schedule(UID)) > 0
    await driver.connection.aclose()


async def test_stop_during_a_burst_records_all_enqueued_runs(scheduler: Scheduler) -> None:
    """A scheduler that is stopped in the middle of a burst logs and records everything that it has enqueued."""
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


async def test_metrics_of_a_schedule_are_counted_and_removed_with_it(scheduler: Scheduler) -> None:
    """Lag, misses, skips and enqueues are counted under the schedule's name and are removed with it."""
    await scheduler.load(schedule(catchUp="All"))
    scheduler.clock.advance(140)
    await scheduler.step_until_idle()
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
    await scheduler.step_until_idle()
    assert value("schedule_lag_seconds_count", **named) is None
