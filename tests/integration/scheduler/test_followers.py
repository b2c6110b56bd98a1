"""Schedules that run after each success of another one, on a real Redis, with a clock that only the test advances."""

import time
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.core.changes import Changes
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.near_names import similar_names
from financehub_shared.redis import keys
from financehub_shared.schedules import (
    list_schedules,
    request_backfill,
    request_trigger,
    show_backfill,
    show_schedule,
)
from financehub_shared.schedules.backfill_plan import plan_backfill
from financehub_shared.spec import predecessors
from financehub_shared.spec.scheduled_task import BACKFILL
from support.hand_driven import Scheduler, T, build
from support.schedules import messages, schedule

PRICES, INDICATORS, REPORT = (f"5d1c1a64-8a63-5a0e-9b0a-00000000000{number}" for number in (1, 2, 3))
NEVER = {"schedule": "0 0 1 1 *"}
AFTER_PRICES: dict[str, Any] = {"after": "prices", "queue": "followers", "concurrencyPolicy": "Allow"}


def prices(uid: str = PRICES, **spec: Any) -> Any:
    """Return a schedule that is not due during a test."""
    return schedule("prices", uid, **NEVER | spec)


def indicators(**spec: Any) -> Any:
    """Return a follower of `prices` whose runs go to a queue of their own."""
    return schedule("indicators", INDICATORS, **AFTER_PRICES | spec)


def succeed(scheduler: Scheduler, at: float, uid: str = PRICES) -> None:
    """Write what the monitor writes when a run of a schedule succeeds.

    Args:
        scheduler: Its Redis is used.
        at: End of the run in seconds after T.
        uid: The schedule.
    """
    scheduler.client.hset(keys.schedule(uid), mapping={"last_success_at": T + at, "last_run_outcome": "succeeded"})


async def look(*schedulers: Scheduler) -> None:
    """Do what each scheduler does once a second."""
    for each in schedulers:
        await each.pauses.step()
        await each.followers.step()
        await each.step_until_idle()


def followed(scheduler: Scheduler) -> list[float]:
    """Return the due times of the follower's messages, in seconds after T."""
    return [round(due, 3) for due in scheduler.due("followers")]


def problem(scheduler: Scheduler, uid: str = INDICATORS) -> str:
    return scheduler.engine.states[uid].problem


# each success is one due time -----------------------------------------------------------------------
async def test_success_of_the_predecessor_enqueues_one_run(scheduler: Scheduler) -> None:
    """A success is a due time, rounded up to a whole millisecond. It is settled once, however often it is read."""
    await scheduler.load(prices(), indicators())
    await look(scheduler)
    assert followed(scheduler) == []
    scheduler.clock.advance(10)
    succeed(scheduler, 10.2503)
    await look(scheduler)
    await look(scheduler)
    assert followed(scheduler) == [10.251]
    state = scheduler.engine.states[INDICATORS]
    assert (state.high_water_mark, state.next_due, state.problem) == (T + 10.251, None, "")


async def test_two_successes_within_a_second_give_a_run_each_if_both_are_read(scheduler: Scheduler) -> None:
    """The second success is not taken for the first one, although it is in the same second."""
    await scheduler.load(prices(), indicators())
    for at in (10.1, 10.2, 10.201):
        succeed(scheduler, at)
        scheduler.clock.set_wall(T + 10.5)
        await look(scheduler)
    assert followed(scheduler) == [10.1, 10.2, 10.201]


async def test_success_that_is_recorded_late_starts_no_second_run(scheduler: Scheduler) -> None:
    """A success that ended before a settled one is covered by the run that started after both."""
    await scheduler.load(prices(), indicators())
    scheduler.clock.set_wall(T + 20)
    for at in (15.0, 12.0):
        succeed(scheduler, at)
        await look(scheduler)
    assert followed(scheduler) == [15.0]


async def test_two_schedulers_settle_each_success_once(scheduler: Scheduler, second: Scheduler) -> None:
    """Both schedulers find the same due time, and the high-water mark lets one run pass."""
    await scheduler.load(prices(), indicators())
    await second.load(prices(), indicators())
    for at in (5.0, 6.0, 7.0):
        scheduler.clock.set_wall(T + at + 0.1)
        succeed(scheduler, at)
        await scheduler.followers.step()
        await second.followers.step()
        await second.step_until_idle()
        await scheduler.step_until_idle()
    assert followed(scheduler) == [5.0, 6.0, 7.0]
    assert scheduler.field(INDICATORS, "runs") == "3"


async def test_chain_runs_one_after_the_other(scheduler: Scheduler) -> None:
    """A follower of a follower runs after the success of the follower, and not before."""
    await scheduler.load(prices(), indicators(), schedule("report", REPORT, after="indicators", queue="reports"))
    scheduler.clock.set_wall(T + 10)
    succeed(scheduler, 9.0)
    await look(scheduler)
    assert (followed(scheduler), scheduler.due("reports")) == ([9.0], [])
    succeed(scheduler, 9.5, INDICATORS)
    await look(scheduler)
    assert scheduler.due("reports") == [9.5]


# nothing acts retroactively -------------------------------------------------------------------------
async def test_success_before_the_creation_starts_no_run(scheduler: Scheduler) -> None:
    """A follower that is created later does not run for an earlier success, even one in the same second."""
    await scheduler.load(prices())
    succeed(scheduler, 0.4)
    await scheduler.load(indicators())
    scheduler.clock.advance(5)
    await look(scheduler)
    assert followed(scheduler) == []


@pytest.mark.parametrize("jitter", [0, 60])
async def test_success_before_an_edit_that_was_not_read_starts_no_run(scheduler: Scheduler, jitter: int) -> None:
    """An edit of the follower does not make it run for a success that it did not follow before."""
    await scheduler.load(prices(), schedule("others", REPORT, **NEVER), indicators(jitterSeconds=jitter))
    scheduler.clock.set_wall(T + 100)
    succeed(scheduler, 99.9, REPORT)
    await scheduler.load(indicators(jitterSeconds=jitter, after="others"))
    await look(scheduler)
    await scheduler.pass_time(100)
    assert followed(scheduler) == []
    succeed(scheduler, 150.0, REPORT)
    await look(scheduler)
    await scheduler.pass_time(100)
    assert followed(scheduler) == [150.0]


@pytest.mark.parametrize("jitter", [0, 600])
@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("edit", [{"kwargs": {"a": 1}}, {"after": "others"}, {"jitterSeconds": 30}])
async def test_success_that_waits_during_an_edit_is_neither_lost_nor_doubled(
    scheduler: Scheduler, second: Scheduler, edit: dict[str, Any], jitter: int, *, is_read: bool
) -> None:
    """A success before an edit was due under the old spec, and runs once with the new one."""
    others = schedule("others", REPORT, **NEVER)
    await scheduler.load(prices(), others, indicators(jitterSeconds=jitter))
    await second.load(prices(), others, indicators(jitterSeconds=jitter))
    scheduler.clock.set_wall(T + 100)
    succeed(scheduler, 99.8)
    if is_read and jitter:
        await look(scheduler)
    edited = indicators(**{"jitterSeconds": jitter, **edit})
    await scheduler.load(edited)
    await look(scheduler, second)
    await second.load(edited)
    for at in range(100, 800, 1):
        scheduler.clock.set_wall(T + at)
        await scheduler.step_until_idle()
        await second.step_until_idle()
    await look(scheduler, second)
    assert followed(scheduler) == [99.8]
    (message,) = messages(scheduler.client, "followers")
    assert message["kwargs"] == edit.get("kwargs", {})


async def test_success_that_waits_is_kept_by_an_edit_while_no_scheduler_runs(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """A scheduler that starts with a newer spec finds the success that waits for the jitter of the stored one."""
    await scheduler.load(prices(), indicators(jitterSeconds=600))
    offset = scheduler.engine.states[INDICATORS].schedule.recurrence.offset
    scheduler.clock.set_wall(T + 100)
    succeed(scheduler, 99.8)
    scheduler.clock.set_wall(T + 99.8 + offset / 2)
    await second.load(prices(), indicators(jitterSeconds=0))
    assert followed(scheduler) == [99.8]


@pytest.mark.parametrize("jitter", [0, 60])
async def test_success_during_a_suspension_starts_no_run(scheduler: Scheduler, jitter: int) -> None:
    """Nothing is due while a follower is suspended, and nothing is caught up."""
    await scheduler.load(prices(), indicators(suspend=True, jitterSeconds=jitter))
    scheduler.clock.set_wall(T + 100)
    succeed(scheduler, 99.0)
    await look(scheduler)
    await scheduler.load(indicators(jitterSeconds=jitter))
    await look(scheduler)
    await scheduler.pass_time(100)
    assert followed(scheduler) == []


# jitter, limits, calendars --------------------------------------------------------------------------
async def test_jitter_delays_each_run_and_loses_none(scheduler: Scheduler) -> None:
    """Several successes that wait for their jitter are enqueued one by one, each at its own time."""
    await scheduler.load(prices(), indicators(jitterSeconds=600))
    offset = scheduler.engine.states[INDICATORS].schedule.recurrence.offset
    assert offset > 10
    for at in (1.0, 3.0, 5.0):
        scheduler.clock.set_wall(T + at)
        succeed(scheduler, at)
        await look(scheduler)
    assert followed(scheduler) == []
    for at in (1.0, 3.0, 5.0):
        scheduler.clock.set_wall(T + at + offset - 0.1)
        await scheduler.step_until_idle()
        assert at not in followed(scheduler)
        await scheduler.pass_time(0.2)
        assert at in followed(scheduler)
    assert followed(scheduler) == [1.0, 3.0, 5.0]


async def test_limits_and_calendar_apply_to_successes(scheduler: Scheduler) -> None:
    """A success outside of the limits or of the sessions is not due, and counts neither as skipped nor as missed."""
    # T is 2027-01-15 08:00 UTC, a Friday. New York opens at 14:30 UTC.
    opens = 6.5 * 3600
    await scheduler.load(
        prices(),
        indicators(calendar="XNYS"),
        schedule("report", REPORT, after="prices", startTime="2027-01-15T09:00:00Z", concurrencyPolicy="Allow"),
    )
    for at in (10.0, opens - 1, opens + 60):
        scheduler.clock.set_wall(T + at + 1)
        succeed(scheduler, at)
        await look(scheduler)
    assert followed(scheduler) == [opens + 60]
    assert scheduler.due() == [opens - 1, opens + 60]
    assert show_schedule(scheduler.client, "indicators").missed == 0


async def test_end_time_stops_a_follower_with_its_reason(scheduler: Scheduler) -> None:
    """After `endTime`, listings say why no further run is due."""
    await scheduler.load(prices(), indicators(endTime="2027-01-15T08:01:00Z"))
    await look(scheduler)
    assert problem(scheduler) == ""
    scheduler.clock.set_wall(T + 70)
    succeed(scheduler, 65.0)
    await look(scheduler)
    assert followed(scheduler) == []
    assert "spec.endTime has passed" in problem(scheduler)


async def test_max_runs_stops_a_follower_for_good(scheduler: Scheduler) -> None:
    """A follower runs `maxRuns` times. Each later success leaves it stopped with its reason."""
    await scheduler.load(prices(), indicators(maxRuns=2))
    for at in (1.0, 2.0, 3.0, 4.0):
        scheduler.clock.set_wall(T + at)
        succeed(scheduler, at)
        await look(scheduler)
        await look(scheduler)
        assert (problem(scheduler) == "maxRuns reached") == (at > 2)
    assert followed(scheduler) == [1.0, 2.0]
    succeed(scheduler, 5.0)
    scheduler.client.hset(keys.SCHEDULES_PAUSED, PRICES, "a pause that changes the note of the follower")
    scheduler.clock.advance(1)
    await scheduler.followers.step()
    # Without asking Redis again.
    assert (problem(scheduler), scheduler.engine.states[INDICATORS].next_due) == ("maxRuns reached", None)


async def test_overlapping_run_is_skipped_and_counted(scheduler: Scheduler) -> None:
    """The concurrency policy applies as to every due run."""
    await scheduler.load(prices(), indicators(concurrencyPolicy="Forbid"))
    for at in (1.0, 2.0):
        scheduler.clock.set_wall(T + at)
        succeed(scheduler, at)
        await look(scheduler)
    assert followed(scheduler) == [1.0]
    assert show_schedule(scheduler.client, "indicators").skipped == {"overlap": 1}


# catch-up -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("catch_up", "late", "runs", "missed"),
    [("None", 9, 1, 0), ("None", 11, 0, 1), ("Latest", 3_600, 1, 0), ("All", 3_600, 1, 0)],
)
async def test_success_while_no_scheduler_ran_is_caught_up(
    catch_up: str, late: int, runs: int, missed: int, scheduler: Scheduler, second: Scheduler
) -> None:
    """A scheduler that starts later finds the newest success, and `catchUp` decides whether it still runs."""
    await scheduler.load(prices(), indicators(catchUp=catch_up))
    for at in (50.0, 100.0):
        succeed(scheduler, at)
    scheduler.clock.set_wall(T + 100 + late)
    await second.load(prices(), indicators(catchUp=catch_up))
    await look(second)
    await look(second)
    assert followed(scheduler) == [100.0] * runs
    assert show_schedule(scheduler.client, "indicators").missed == missed


async def test_restarted_scheduler_repeats_nothing(scheduler: Scheduler, second: Scheduler) -> None:
    """A success that was settled before a restart is not due again."""
    await scheduler.load(prices(), indicators())
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler)
    scheduler.clock.advance(60)
    await second.load(prices(), indicators())
    await look(second)
    assert followed(scheduler) == [5.0]


async def test_refused_arguments_hold_a_success_back(scheduler: Scheduler) -> None:
    """A success during a refusal runs as soon as the arguments are valid, as a due time of other schedules does."""
    await scheduler.load(prices(), indicators())
    scheduler.refused["default/indicators"] = "unknown symbol"
    scheduler.engine.recheck_arguments()
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler)
    assert (followed(scheduler), problem(scheduler)) == ([], "unknown symbol")
    scheduler.refused.clear()
    scheduler.engine.recheck_arguments()
    await look(scheduler)
    assert (followed(scheduler), problem(scheduler)) == ([5.0], "")


@pytest.mark.parametrize("value", [None, "nonsense", "", b"\xff", INDICATORS])
async def test_damaged_name_of_the_predecessor_stops_no_follower(
    scheduler: Scheduler, second: Scheduler, value: str | bytes | None
) -> None:
    """A scheduler knows the uids of its own schedules, and writes a damaged name again when it starts."""
    await scheduler.load(prices(), indicators())
    if value is None:
        scheduler.client.hdel(keys.SCHEDULE_NAMES, "default/prices")
    else:
        scheduler.client.hset(keys.SCHEDULE_NAMES, "default/prices", value)
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler)
    assert (followed(scheduler), problem(scheduler)) == ([5.0], "")
    await second.load(prices(), indicators())
    assert scheduler.client.hget(keys.SCHEDULE_NAMES, "default/prices") == PRICES.encode()


# predecessors that are missing, in a circle, or do not run ------------------------------------------
async def test_missing_predecessor_is_named_with_similar_names_until_it_exists(scheduler: Scheduler) -> None:
    """The problem says which name was read and which one may be meant. It ends as soon as the schedule exists."""
    await scheduler.load(schedule("fetch-stock-prices", PRICES, **NEVER), indicators(after="fetch-stock-price"))
    with capture_logs() as logs:
        await look(scheduler)
        await look(scheduler)
    assert problem(scheduler) == (
        "after: no schedule in the namespace default has the name 'fetch-stock-price'; did you mean fetch-stock-prices?"
    )
    assert [log["event"] for log in logs] == ["schedule_stopped"]
    await scheduler.load(schedule("fetch-stock-price", REPORT, **NEVER))
    await look(scheduler)
    assert problem(scheduler) == ""
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0, REPORT)
    await look(scheduler)
    assert followed(scheduler) == [5.0]


async def test_misspelled_predecessors_are_compared_with_all_names_once(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many misspelled names among many schedules are looked for a few per step, and then not again."""
    uid = "5d1c1a64-8a63-5a0e-9b0a-{:012d}"
    known = [schedule(f"fetch-prices-{number:03d}", uid.format(number), **NEVER) for number in range(50)]
    lost = [schedule(f"f{number}", uid.format(100 + number), after=f"fetch-prices{number}") for number in range(10)]
    await scheduler.load(*known, *lost)
    calls: list[int] = []

    def counted(name: str, names: list[str]) -> list[str]:
        calls.append(len(names))
        return similar_names(name, names)

    monkeypatch.setattr(predecessors, "similar_names", counted)
    for _ in range(8):
        await look(scheduler)
        assert all("has the name" in problem(scheduler, each.uid) for each in lost)
    assert all("did you mean" in problem(scheduler, each.uid) for each in lost)
    assert sum(calls) == len(lost) * (len(known) + len(lost) - 1)


async def test_predecessor_is_not_missing_before_all_schedules_are_reported(scheduler: Scheduler) -> None:
    """At a start, the predecessor may be among the schedules that the source has not reported yet."""
    scheduler.engine.apply(Changes([indicators()], keep_known_state=True, complete=False))
    await look(scheduler)
    await look(scheduler)
    assert (problem(scheduler), scheduler.engine.states[INDICATORS].predecessor) == ("", None)
    await scheduler.load(schedule("other", REPORT, **NEVER))
    await look(scheduler)
    assert "write one of other" in problem(scheduler)


async def test_deleted_and_recreated_predecessor_is_followed_again(scheduler: Scheduler) -> None:
    """The successes of a schedule with the same name and another uid count from its creation on."""
    await scheduler.load(prices(), indicators())
    scheduler.clock.set_wall(T + 10)
    succeed(scheduler, 9.0)
    await look(scheduler)
    scheduler.engine.apply(Changes(removed=[PRICES]))
    await scheduler.step_until_idle()
    await look(scheduler)
    assert "no schedule in the namespace default has the name 'prices'" in problem(scheduler)
    await scheduler.load(prices(REPORT))
    await look(scheduler)
    assert problem(scheduler) == ""
    scheduler.clock.set_wall(T + 20)
    succeed(scheduler, 19.0, REPORT)
    await look(scheduler)
    assert followed(scheduler) == [9.0, 19.0]


async def test_deleted_predecessor_leaves_a_waiting_run_due(scheduler: Scheduler) -> None:
    """A success that only waits for its jitter is not lost because the predecessor is deleted meanwhile."""
    await scheduler.load(prices(), indicators(jitterSeconds=600))
    offset = scheduler.engine.states[INDICATORS].schedule.recurrence.offset
    scheduler.clock.set_wall(T + 10)
    succeed(scheduler, 9.0)
    await look(scheduler)
    scheduler.engine.apply(Changes(removed=[PRICES]))
    await look(scheduler)
    await look(scheduler)
    assert problem(scheduler)
    await scheduler.pass_time(offset)
    assert followed(scheduler) == [9.0]


async def test_cycle_is_named_and_stops_only_its_members(scheduler: Scheduler) -> None:
    """Schedules that wait for each other say so. Nothing starts an endless series of runs, also not a trigger."""
    await scheduler.load(
        schedule("prices", PRICES, after="indicators"),
        indicators(),
        schedule("report", REPORT, after="prices", queue="r"),
    )
    await look(scheduler)
    assert problem(scheduler) == (
        "after: indicators runs after prices runs after indicators, so none of them can start; "
        "give one of them a schedule instead of after"
    )
    assert problem(scheduler, PRICES).startswith("after: prices runs after indicators runs after prices")
    assert problem(scheduler, REPORT) == ""
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler)
    assert (followed(scheduler), scheduler.due("r")) == ([], [5.0])
    await scheduler.load(prices())
    scheduler.clock.advance(5)
    succeed(scheduler, 10.0)
    await look(scheduler)
    assert (followed(scheduler), problem(scheduler)) == ([10.0], "")


async def test_cycle_over_two_schedulers_is_found(scheduler: Scheduler, second: Scheduler) -> None:
    """A cycle is found even if each scheduler has only a part of it, because its folder has only that part."""
    await scheduler.load(indicators())
    await second.load(schedule("prices", PRICES, after="report"), schedule("report", REPORT, after="indicators"))
    for _ in range(3):
        await look(scheduler, second)
    for state in [*scheduler.engine.states.values(), *second.engine.states.values()]:
        assert state.predecessor is not None
        assert state.predecessor.reason == "PredecessorCycle"


async def test_predecessor_of_another_scheduler_is_followed(scheduler: Scheduler, second: Scheduler) -> None:
    """The predecessor may be in the folder of another scheduler."""
    await scheduler.load(indicators())
    await second.load(prices())
    await look(scheduler, second)
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler, second)
    assert followed(scheduler) == [5.0]


async def test_predecessor_that_no_scheduler_has_any_more_is_missing(scheduler: Scheduler, second: Scheduler) -> None:
    """A file that was deleted while no scheduler was running leaves a record, which nobody claims, in Redis."""
    await scheduler.load(indicators())
    await second.load(prices())
    await look(scheduler)
    assert problem(scheduler) == ""
    scheduler.clock.advance(91)
    await look(scheduler)
    assert "no schedule in the namespace default has the name 'prices'" in problem(scheduler)
    await second.registry.claim([PRICES], second.clock.now())
    await look(scheduler)
    assert problem(scheduler) == ""


@pytest.mark.parametrize("state", ["suspended", "paused", "refused"])
async def test_predecessor_that_does_not_run_leaves_the_follower_ready(scheduler: Scheduler, state: str) -> None:
    """The follower stays ready, because triggers of its predecessor still succeed, and it says what it waits for."""
    await scheduler.load(prices(suspend=state == "suspended"), indicators())
    if state == "paused":
        scheduler.client.hset(keys.SCHEDULES_PAUSED, PRICES, '{"by": "alice", "reason": "x", "at": 1}')
    if state == "refused":
        scheduler.engine.apply(Changes(deactivated={PRICES: "its spec is invalid"}))
    await look(scheduler)
    await look(scheduler)
    known = scheduler.engine.states[INDICATORS].predecessor
    assert known is not None
    assert (known.problem, problem(scheduler)) == ("", "")
    assert ("invalid" if state == "refused" else state) in known.note
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler)
    assert followed(scheduler) == [5.0]


# Redis ----------------------------------------------------------------------------------------------
async def test_lost_redis_repeats_and_loses_nothing(scheduler: Scheduler) -> None:
    """After Redis has lost its data, the schedules are registered again, and the next success is due once."""
    await scheduler.load(prices(), indicators())
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler)
    scheduler.client.flushall()
    await look(scheduler)
    assert problem(scheduler) == ""
    scheduler.engine.restore([PRICES, INDICATORS])
    await look(scheduler)
    assert followed(scheduler) == []
    scheduler.clock.advance(5)
    succeed(scheduler, 10.0)
    await look(scheduler)
    assert followed(scheduler) == [10.0]


async def test_restored_follower_keeps_the_runs_that_wait_for_their_jitter(scheduler: Scheduler) -> None:
    """Redis has only the newest success. The scheduler remembers the earlier ones when it registers again."""
    await scheduler.load(prices(), indicators(jitterSeconds=600))
    offset = scheduler.engine.states[INDICATORS].schedule.recurrence.offset
    for at in (1.0, 2.0):
        scheduler.clock.set_wall(T + at)
        succeed(scheduler, at)
        await look(scheduler)
    scheduler.client.flushall()
    scheduler.engine.restore([PRICES, INDICATORS])
    await look(scheduler)
    for at in (1.0, 2.0):
        scheduler.clock.set_wall(T + at + offset)
        await scheduler.step_until_idle()
    assert followed(scheduler) == [1.0, 2.0]


@pytest.mark.parametrize("value", ["soon", "9e14", "-5", f"{T + 3600}"])
async def test_damaged_success_is_reported_and_starts_no_run(scheduler: Scheduler, value: str) -> None:
    """A time that cannot be right is left out, and the next success is due."""
    await scheduler.load(prices(), indicators())
    scheduler.client.hset(keys.schedule(PRICES), "last_success_at", value)
    await look(scheduler)
    assert (followed(scheduler), problem(scheduler)) == ([], "")
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler)
    assert followed(scheduler) == [5.0]


@pytest.mark.parametrize("key", [keys.SCHEDULE_NAMES, keys.schedule(PRICES), keys.schedule(INDICATORS)])
async def test_key_of_another_type_does_not_stop_followers(scheduler: Scheduler, key: str) -> None:
    """A key that another program replaced is set aside or left out, and the schedules go on."""
    await scheduler.load(prices(), indicators())
    scheduler.client.delete(key)
    scheduler.client.set(key, "damaged")
    await look(scheduler)
    await scheduler.registry.claim([PRICES, INDICATORS], scheduler.clock.now())
    scheduler.engine.restore([PRICES, INDICATORS])
    await look(scheduler)
    scheduler.clock.advance(5)
    succeed(scheduler, 5.0)
    await look(scheduler)
    await look(scheduler)
    assert followed(scheduler) == [5.0]


# requests -------------------------------------------------------------------------------------------
async def test_trigger_of_a_follower_runs_it_without_a_success(scheduler: Scheduler) -> None:
    """A user may run a follower at any time, as every schedule, also one whose predecessor is missing."""
    scheduler.clock.set_wall(time.time())
    await scheduler.load(indicators())
    await look(scheduler)
    assert problem(scheduler)
    request_trigger(scheduler.client, "indicators")
    await scheduler.on_demand.step()
    assert len(messages(scheduler.client, "followers")) == 1


async def test_backfill_of_a_follower_is_refused_with_the_way_out(scheduler: Scheduler) -> None:
    """A range has no due times of a follower. The refusal names the schedule that can be backfilled instead."""
    now = time.time()
    scheduler.clock.set_wall(now)
    await scheduler.load(prices(), indicators())
    words = "it runs after each success of prices, so it has no due times that could be computed; backfill prices"
    with pytest.raises(InvalidArgumentsError, match=words):
        request_backfill(scheduler.client, "indicators", now - 600, now)
    plan = plan_backfill(show_schedule(scheduler.client, "indicators"), now - 600, now, now)
    assert words in plan.problem
    assert (plan.total, plan.notes) == (0, ())


@pytest.mark.parametrize("spec", ["{", "[]", "1", ""])
async def test_backfill_of_a_damaged_spec_is_left_to_the_scheduler(scheduler: Scheduler, spec: str) -> None:
    """A client that cannot read the spec requests the backfill, and the scheduler, which knows it, refuses it."""
    now = time.time()
    scheduler.clock.set_wall(now)
    await scheduler.load(prices(), indicators())
    scheduler.client.hset(keys.schedule(INDICATORS), "spec", spec)
    id = request_backfill(scheduler.client, "indicators", now - 600, now)
    await scheduler.on_demand.step()
    assert show_backfill(scheduler.client, id).state == "refused"
    assert "backfill prices instead" in show_backfill(scheduler.client, id).message


async def test_backfill_annotation_of_a_follower_is_refused(scheduler: Scheduler) -> None:
    """The annotation of a follower is refused with the same words, which the status of the resource shows."""
    scheduler.clock.set_wall(time.time())
    annotations = {BACKFILL: "2026-11-01T00:00:00Z/2026-11-02T00:00:00Z"}
    follower = schedule("indicators", INDICATORS, annotations, **AFTER_PRICES)
    await scheduler.load(prices(), follower)
    await scheduler.on_demand.step()
    assert follower.backfill is not None
    assert "backfill prices instead" in show_backfill(scheduler.client, follower.backfill.id).message


# listings -------------------------------------------------------------------------------------------
async def test_follower_in_listings_is_neither_late_nor_stopped(scheduler: Scheduler) -> None:
    """Without a next run, a follower has no problem and is not late, and listings name its predecessor."""
    await scheduler.load(prices(), indicators())
    await look(scheduler)
    await scheduler.publisher.step()
    info = show_schedule(scheduler.client, "indicators")
    assert (info.recurrence_text, info.next_times, info.problem) == ("after prices", (), "")
    assert not info.is_late(T + 3600)
    assert scheduler.metrics.registry.get_sample_value(
        "financehub_schedule_next_run_timestamp_seconds", {"scheduledtask": "default/indicators"}
    ) in {0.0, None}


async def test_many_followers_need_few_commands(redis_url: str, redis_client: "redis.Redis") -> None:
    """1,200 followers of 1,200 predecessors are read with a handful of commands."""
    scheduler = build(redis_url, ManualClock(T), redis_client)
    schedules = []
    for number in range(1_200):
        uid = f"5d1c1a64-8a63-5a0e-9b0a-{number:012d}"
        other = f"5d1c1a64-8a63-5a0e-9b0b-{number:012d}"
        schedules += [schedule(f"p{number}", uid, **NEVER), schedule(f"f{number}", other, after=f"p{number}")]
    await scheduler.load(*schedules)
    scheduler.clock.advance(5)
    for number in range(1_200):
        succeed(scheduler, 4.0, f"5d1c1a64-8a63-5a0e-9b0a-{number:012d}")
    before = redis_client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    await scheduler.followers.step()
    assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] - before <= 6
    await scheduler.step_until_idle()
    assert scheduler.due() == [4.0] * 1_200
    assert len(list_schedules(redis_client)) == 2_400
    assert len(messages(redis_client)) == 1_200
    await scheduler.connection.aclose()
