"""Schedules that are paused: what no longer runs, what still does, and what happens after they are resumed."""

import json
import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.operations.schedules import MAX_SCHEDULES, pause_schedules, resume_schedules
from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules, request_backfill, request_trigger, show_backfill, show_schedule
from support.hand_driven import Scheduler, build
from support.schedules import UID, messages, schedule
from support.waiting import eventually_async

OTHER = "5d1c1a64-8a63-5a0e-9b0a-000000000002"
REASON = "the provider changes its API"
EVERY_MINUTE = {"concurrencyPolicy": "Allow", "catchUp": "All"}


@pytest.fixture
async def start(scheduler: Scheduler) -> float:
    """Half a second after a full minute, ten minutes ago. The scheduler's clock shows it.

    Resuming has a timestamp of Redis, so the scheduler's clock must not be ahead of it when a test resumes.
    """
    # In these tests, no minute begins between two readings of the real time.
    await eventually_async(lambda: time.time() % 60 < 50, "no minute ends soon")
    at = time.time() // 60 * 60 - 599.5
    scheduler.clock.set_wall(at)
    return at


def due(scheduler: Scheduler, start: float) -> list[float]:
    """Return the due times of the messages in the queue, in seconds after the full minute at the start."""
    return [message["options"]["due_at"] / 1000 - (start - 0.5) for message in messages(scheduler.client)]


def due_since_the_resumption(scheduler: Scheduler, start: float, until: float) -> list[float]:
    """Return the due times that must run: those after the resumption, which has a timestamp of Redis, up to `until`."""
    resumed_at = float(scheduler.field(UID, "changed_at") or 0)
    first = resumed_at // 60 * 60 + 60
    return [at - (start - 0.5) for at in (first, first + 60, first + 120) if at <= until]


def pause(scheduler: Scheduler, *names: str) -> list[str]:
    return pause_schedules(scheduler.client, names or ["demo"], REASON, "alice")


def resume(scheduler: Scheduler) -> list[str]:
    return resume_schedules(scheduler.client, ["demo"])


async def test_paused_schedule_enqueues_nothing_and_catches_nothing_up(scheduler: Scheduler, start: float) -> None:
    """No due run is enqueued while a schedule is paused, and none of them after it is resumed, even with `All`."""
    await scheduler.load(schedule(**EVERY_MINUTE))
    await scheduler.pass_time(60)
    assert pause(scheduler) == ["default/demo"]
    await scheduler.pauses.step()
    await scheduler.pass_time(time.time() - scheduler.clock.now())
    assert due(scheduler, start) == [60]
    assert resume(scheduler) == ["default/demo"]
    await scheduler.pauses.step()
    await scheduler.step_until_idle()
    assert due(scheduler, start) == [60]
    await scheduler.pass_time(120)
    expected = due_since_the_resumption(scheduler, start, scheduler.clock.now())
    assert min(expected) >= 600
    assert due(scheduler, start) == [60, *expected]
    assert show_schedule(scheduler.client, "demo").missed == 0


async def test_pause_applies_before_a_scheduler_has_read_it(scheduler: Scheduler, start: float) -> None:
    """The script that enqueues runs checks the pause, so that none is enqueued after the pause was confirmed."""
    await scheduler.load(schedule(**EVERY_MINUTE), schedule("other", OTHER, **EVERY_MINUTE))
    pause(scheduler)
    with capture_logs() as logs:
        await scheduler.pass_time(180)
    assert {message["options"]["schedule"] for message in messages(scheduler.client)} == {"default/other"}
    assert [log["event"] for log in logs if log.get("schedule") == "default/demo"] == []
    assert scheduler.field(UID, "missed") is None
    assert scheduler.engine.states[UID].next_due is None
    assert "was paused a moment ago" in str(scheduler.engine.states[UID].paused)
    await scheduler.pauses.step()
    assert scheduler.engine.states[UID].paused == show_schedule(scheduler.client, "demo").paused
    resume(scheduler)
    await scheduler.pauses.step()
    assert scheduler.engine.states[UID].next_due is not None


async def test_pause_and_resume_between_two_readings_run_on(scheduler: Scheduler, start: float) -> None:
    """A schedule that was resumed before a scheduler has read the pause runs on, although a due run was held back."""
    await scheduler.load(schedule(**EVERY_MINUTE))
    pause(scheduler)
    await scheduler.pass_time(60)
    resume(scheduler)
    await scheduler.pauses.step()
    await scheduler.pass_time(time.time() + 60 - scheduler.clock.now())
    assert due(scheduler, start)
    assert min(due(scheduler, start)) >= 600


@pytest.mark.parametrize("catch_up", ["All", "Latest", "None"])
async def test_scheduler_that_missed_the_whole_pause_catches_nothing_up(
    catch_up: str, scheduler: Scheduler, start: float
) -> None:
    """A scheduler that was cut off from Redis from before the pause until after its end does not run what it held back.

    The due times that it gives up are not missed either.
    """
    spec = EVERY_MINUTE | {"catchUp": catch_up}
    await scheduler.load(schedule(**spec))
    pause(scheduler)
    resume(scheduler)
    await scheduler.pauses.step()
    await scheduler.pass_time(time.time() - scheduler.clock.now())
    assert due(scheduler, start) == []
    assert show_schedule(scheduler.client, "demo").missed == 0
    next_due = float(scheduler.field(UID, "changed_at") or 0) // 60 * 60 + 60
    await scheduler.pass_time(next_due + 0.5 - scheduler.clock.now())
    assert due(scheduler, start) == [next_due - (start - 0.5)]


@pytest.mark.parametrize(("seconds", "expected"), [(-0.01, ["enqueued"]), (0.0, ["already"]), (1.0, ["already"])])
async def test_run_that_is_due_before_the_resumption_is_not_enqueued(
    seconds: float, expected: list[str], scheduler: Scheduler
) -> None:
    """A pause drops the runs that wait for their jitter, also for a scheduler that missed the pause and its end."""
    await scheduler.load(schedule(jitterSeconds=50))
    state = scheduler.engine.states[UID]
    assert state.schedule.recurrence.offset > 1
    assert state.next_due is not None
    scheduler.client.hset(keys.schedule(UID), "changed_at", f"{state.next_due + seconds:.3f}")
    assert await scheduler.outcomes(RunSubmission(state.schedule, "due", state.next_due)) == expected


async def test_due_time_just_after_the_resumption_runs(scheduler: Scheduler, start: float) -> None:
    """A due time between the resumption and the moment at which a scheduler reads it is not left out."""
    await scheduler.load(schedule(**EVERY_MINUTE))
    pause(scheduler)
    await scheduler.pauses.step()
    scheduler.clock.set_wall(time.time())
    resume(scheduler)
    scheduler.clock.advance(120)
    await scheduler.pauses.step()
    await scheduler.step_until_idle()
    expected = due_since_the_resumption(scheduler, start, scheduler.clock.now())
    assert expected
    assert due(scheduler, start) == expected


async def test_pause_survives_restarts_and_applies_to_every_scheduler(
    scheduler: Scheduler, second: Scheduler, start: float, redis_url: str
) -> None:
    """A scheduler that starts later knows the pause before it plans the first run. Nothing is caught up for it."""
    await scheduler.load(schedule(**EVERY_MINUTE))
    pause(scheduler)
    await second.load(schedule(**EVERY_MINUTE))
    assert second.engine.states[UID].next_due is None
    await scheduler.pass_time(300)
    await second.step_until_idle()
    resume(scheduler)
    third = build(redis_url, ManualClock(time.time()), scheduler.client)
    await third.load(schedule(**EVERY_MINUTE))
    await third.pass_time(120)
    assert due(scheduler, start) == due_since_the_resumption(scheduler, start, third.clock.now())
    await third.connection.aclose()


async def test_triggers_and_backfills_of_a_paused_schedule_run(scheduler: Scheduler, start: float) -> None:
    """A user who requests a run gets it, as with a suspended schedule."""
    await scheduler.load(schedule(**EVERY_MINUTE))
    pause(scheduler)
    await scheduler.pauses.step()
    scheduler.clock.set_wall(time.time())
    request_trigger(scheduler.client, "demo")
    id = request_backfill(scheduler.client, "demo", start, start + 120)
    for _ in range(3):
        await scheduler.on_demand.step()
    assert show_backfill(scheduler.client, id).enqueued == 2
    assert len(messages(scheduler.client)) == 3


async def test_buffered_run_of_a_paused_schedule_is_dropped(scheduler: Scheduler, start: float) -> None:
    """The run that waits for the previous one is dropped, as that of a suspended schedule."""
    await scheduler.load(schedule(concurrencyPolicy="BufferOne"))
    for _ in range(2):
        await scheduler.pass_time(60)
    assert scheduler.client.hexists(keys.SCHEDULES_BUFFERED, UID)
    pause(scheduler)
    scheduler.end_run(messages(scheduler.client)[0]["message_id"])
    await scheduler.on_demand.step()
    resume(scheduler)
    await scheduler.pauses.step()
    await scheduler.on_demand.step()
    assert messages(scheduler.client) == []


async def test_buffered_run_waits_if_another_program_pauses(scheduler: Scheduler) -> None:
    """A buffered run is held back by the entry alone, which another program may have written."""
    await scheduler.load(schedule(concurrencyPolicy="BufferOne"))
    for _ in range(2):
        await scheduler.pass_time(60)
    scheduler.client.hset(keys.SCHEDULES_PAUSED, UID, "?")
    scheduler.end_run(messages(scheduler.client)[0]["message_id"])
    demo, at = scheduler.engine.states[UID].schedule, float(scheduler.client.hget(keys.SCHEDULES_BUFFERED, UID) or 0)
    assert await scheduler.outcomes(RunSubmission(demo, "buffered", at / 1000)) == ["paused"]
    await scheduler.pauses.step()
    await scheduler.on_demand.step()
    assert messages(scheduler.client) == []


async def test_pause_of_a_deleted_schedule_is_deleted(scheduler: Scheduler) -> None:
    """Deleting a schedule deletes its pause, so that a new one with the same name runs."""
    await scheduler.load(schedule())
    pause(scheduler)
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    assert not scheduler.client.exists(keys.SCHEDULES_PAUSED)


async def test_pause_of_an_abandoned_schedule_does_not_apply_to_a_new_one(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """A schedule that nobody has claimed lately was deleted. A new one with the same name is not paused."""
    await scheduler.load(schedule())
    pause(scheduler)
    scheduler.client.zadd(keys.SCHEDULES, {UID: 1.0})
    second.engine.apply(Changes([schedule()], keep_known_state=False))
    await second.step_until_idle()
    assert not scheduler.client.exists(keys.SCHEDULES_PAUSED)
    assert second.engine.states[UID].next_due is not None


async def test_edit_during_a_long_outage_of_redis_keeps_the_pause_and_the_record(scheduler: Scheduler) -> None:
    """If nobody could renew the claim, a scheduler still knows that the edited schedule is the one that it runs."""
    await scheduler.load(schedule(schedule="@every 60s"))
    await scheduler.pass_time(60)
    pause(scheduler)
    await scheduler.pauses.step()
    scheduler.client.zadd(keys.SCHEDULES, {UID: 1.0})
    scheduler.engine.apply(Changes([schedule(retries=1)], keep_known_state=False))
    await scheduler.step_until_idle()
    found = show_schedule(scheduler.client, "demo")
    assert (found.is_paused, found.runs) == (True, 1)
    assert scheduler.engine.states[UID].next_due is None


async def test_pause_after_an_edit_of_the_spec_stays(scheduler: Scheduler) -> None:
    """A pause belongs to the schedule, and not to its spec."""
    await scheduler.load(schedule())
    pause(scheduler)
    await scheduler.load(schedule(retries=1), keep_known_state=False)
    await scheduler.pass_time(60)
    assert messages(scheduler.client) == []
    assert show_schedule(scheduler.client, "demo").is_paused


@pytest.mark.parametrize("first", ["pauses", "claims", "edit"])
async def test_pause_that_redis_has_lost_is_restored(first: str, scheduler: Scheduler, second: Scheduler) -> None:
    """After a failover to an empty server, a paused schedule stays paused, with the same reason.

    It does not matter which step of a scheduler notices the loss, or whether the other scheduler is faster.
    """
    await scheduler.load(schedule())
    pause(scheduler)
    await scheduler.pauses.step()
    await second.load(schedule())
    known = scheduler.engine.states[UID].paused
    scheduler.client.flushall()
    if first == "pauses":
        await scheduler.pauses.step()
    elif first == "edit":
        scheduler.engine.apply(Changes([schedule(retries=1)]))
    scheduler.engine.restore(await scheduler.registry.claim([UID], scheduler.clock.now()))
    await scheduler.step_until_idle()
    for each in (second, scheduler):
        await each.pauses.step()
        await each.pass_time(60)
    assert messages(scheduler.client) == []
    assert second.engine.states[UID].paused == known
    assert show_schedule(scheduler.client, "demo").paused == known


async def test_pause_of_a_schedule_whose_record_has_another_type_is_restored(scheduler: Scheduler) -> None:
    """If another program overwrites the record and the entry, the step sets the record aside and keeps the pause."""
    await scheduler.load(schedule(), schedule("other", OTHER))
    pause(scheduler, "demo", "other")
    await scheduler.pauses.step()
    scheduler.client.set(keys.schedule(UID), "another program")
    scheduler.client.delete(keys.SCHEDULES_PAUSED)
    await scheduler.pauses.step()
    assert scheduler.client.hkeys(keys.SCHEDULES_PAUSED) == [UID.encode()]
    assert scheduler.engine.states[UID].paused
    assert scheduler.engine.states[OTHER].paused is None


HOSTILE: list[str | bytes] = [
    "",
    b"\xff\xfe",
    "null",
    "[]",
    "{}",
    "[" * 5_000,
    "9" * 5_000,
    json.dumps({"by": "a", "reason": "b", "at": float("nan")}),
    json.dumps({"by": "a", "reason": "b", "at": 1e300}),
    json.dumps({"by": "a", "reason": "b", "at": True}),
    json.dumps({"by": 7, "reason": "b", "at": 1}),
    json.dumps({"by": "a", "reason": "x" * 201, "at": 1}),
    json.dumps({"by": "a", "reason": "x" * 2_000_000, "at": 1}),
]


@pytest.mark.parametrize("value", HOSTILE)
async def test_paused_schedule_with_a_damaged_entry_shows_the_problem(
    value: str | bytes, scheduler: Scheduler, start: float
) -> None:
    """A damaged entry pauses only its schedule, is shown as a problem with the remedy, and can be resumed."""
    await scheduler.load(schedule(**EVERY_MINUTE), schedule("other", OTHER, **EVERY_MINUTE))
    scheduler.client.hset(keys.SCHEDULES_PAUSED, UID, value)
    await scheduler.pauses.step()
    await scheduler.pass_time(60)
    assert {message["options"]["schedule"] for message in messages(scheduler.client)} == {"default/other"}
    found, other = list_schedules(scheduler.client)
    assert found == show_schedule(scheduler.client, "demo")
    assert found.paused
    assert (found.paused.by, found.paused.reason, found.paused.at) == ("", "", None)
    assert "resume the schedule, and pause it again" in found.problem
    assert len(found.problem) < 500
    assert other.paused is None
    resume(scheduler)
    await scheduler.pauses.step()
    assert scheduler.engine.states[UID].next_due is not None


async def test_pause_by_another_program_cannot_control_a_terminal(scheduler: Scheduler) -> None:
    """Characters that change the order of letters or control a terminal are escaped when the entry is read."""
    await scheduler.load(schedule())
    scheduler.client.hset(keys.SCHEDULES_PAUSED, UID, json.dumps({"by": "a\u202e", "reason": "\x1b[31m\nx", "at": 1}))
    paused = show_schedule(scheduler.client, "demo").paused
    assert paused
    assert (paused.by, paused.reason) == ("a\\u202e", "\\x1b[31m x")


async def test_pausing_a_paused_schedule_keeps_the_first_reason(scheduler: Scheduler) -> None:
    """Of several schedules, only those that run are paused, and the others stay as they are. The same for resuming."""
    await scheduler.load(schedule(), schedule("other", OTHER))
    assert pause(scheduler) == ["default/demo"]
    assert pause_schedules(scheduler.client, ["demo", "default/other"], "another reason", "bob") == ["default/other"]
    found = {info.name: info.paused for info in list_schedules(scheduler.client)}
    assert {name: paused and (paused.by, paused.reason) for name, paused in found.items()} == {
        "default/demo": ("alice", REASON),
        "default/other": ("bob", "another reason"),
    }
    assert resume(scheduler) == ["default/demo"]
    assert resume(scheduler) == []


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda client: pause_schedules(client, ["demo"], " \n", "a"), "say why"),
        (lambda client: pause_schedules(client, ["demo"], "x" * 201, "a"), "at most 200"),
        (lambda client: pause_schedules(client, ["demo", "unknown"], "x", "a"), "'unknown' is not registered"),
        (lambda client: pause_schedules(client, [], "x", "a"), "1 to 1,000"),
        (lambda client: pause_schedules(client, ["demo"] * (MAX_SCHEDULES + 1), "x", "a"), "1 to 1,000"),
        (lambda client: resume_schedules(client, ["demo", "unknown"]), "'unknown' is not registered"),
    ],
)
async def test_pausing_with_a_wrong_request_changes_nothing(
    scheduler: Scheduler, call: Callable[..., object], problem: str
) -> None:
    """A reason that is missing or too long, and an unknown name, are refused as a whole."""
    await scheduler.load(schedule())
    with pytest.raises(InvalidArgumentsError, match=problem):
        call(scheduler.client)
    assert not scheduler.client.exists(keys.SCHEDULES_PAUSED)


async def test_pausing_a_schedule_that_was_just_deleted_changes_nothing(scheduler: Scheduler) -> None:
    """If a schedule is deleted while its name is looked up, none of the schedules is paused, and the error names it."""
    await scheduler.load(schedule(), schedule("other", OTHER))
    scheduler.client.hset(keys.schedule(UID), "fingerprint", "deleted")
    with pytest.raises(InvalidArgumentsError, match="default/demo: deleted"):
        pause(scheduler, "demo", "other")
    assert not scheduler.client.exists(keys.SCHEDULES_PAUSED)
