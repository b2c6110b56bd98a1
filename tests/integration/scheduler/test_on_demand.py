"""Tests of triggers, buffered runs and backfills on a real Redis."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission
from financehub_scheduler.redis.registry import Removal
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.redis import keys
from financehub_shared.schedules import request_backfill, request_trigger, show_backfill, show_schedule
from financehub_shared.schedules.backfill_list import list_backfills
from financehub_shared.schedules.backfill_plan import plan_backfill
from financehub_shared.spec.scheduled_task import BACKFILL, TRIGGER
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule


class BackfillRecorder(SchedulerListener):
    """Records changes to backfills."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, str]] = []

    def backfill_changed(self, uid: str, state: str, message: str) -> None:
        self.changes.append((uid, state, message))


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.fixture
async def now(redis_url: str) -> float:
    """Half a second after a full minute, at most two minutes ago in real time, because requests have timestamps."""
    return time.time() // 60 * 60 - 59.5


async def test_trigger_annotation_runs_once_per_value(scheduler: Scheduler, second: Scheduler) -> None:
    """Every new annotation value runs the schedule once, across all schedulers and restarts."""
    for value, expected in (("first-start", 1), ("again", 2)):
        for each in (scheduler, second, scheduler):
            await each.load(schedule(annotations={TRIGGER: value}, concurrencyPolicy="Allow"))
            await each.on_demand.step()
        assert len(messages(scheduler.client)) == expected
    assert show_schedule(scheduler.client, "demo").triggered == 2


@pytest.mark.parametrize("deletions", [1, 2])
async def test_trigger_annotation_of_a_schedule_that_is_created_again_runs_once_per_value(
    scheduler: Scheduler, second: Scheduler, deletions: int
) -> None:
    """Its run would have the id of the first one, also if a scheduler brings the deletion after the new creation."""

    async def load(each: Scheduler, value: str) -> None:
        await each.load(schedule(annotations={TRIGGER: value}, concurrencyPolicy="Allow"))
        await each.on_demand.step()

    await load(scheduler, "first-start")
    await load(second, "first-start")
    for _ in range(deletions):
        for each in (scheduler, second):
            each.engine.apply(Changes(removed=[UID]))
            await each.step_until_idle()
            await load(each, "first-start")
        assert len(messages(scheduler.client)) == 1
    await load(scheduler, "again")
    assert len(messages(scheduler.client)) == 2


async def test_trigger_of_a_suspended_schedule_runs_it(scheduler: Scheduler, now: float) -> None:
    """A trigger ignores suspension, a full queue, a closed exchange and the end time."""
    scheduler.clock.set_wall(now)
    spec = {"suspend": True, "maxQueueDepth": 0, "calendar": "XNYS", "endTime": "2026-01-01T00:00:00Z"}
    await scheduler.load(schedule(**spec))
    scheduler.client.hset("dramatiq:q.msgs", "other", "{}")
    request_trigger(scheduler.client, "demo")
    await scheduler.on_demand.step()
    assert scheduler.client.llen("dramatiq:q") == 1


async def test_trigger_request_with_two_schedulers_runs_once(
    scheduler: Scheduler, second: Scheduler, now: float
) -> None:
    """Only one of several schedulers carries out a trigger request, with the run id that the request returned."""
    scheduler.clock.set_wall(now)
    for each in (scheduler, second):
        await each.load(schedule(concurrencyPolicy="Allow"))
    run_id = request_trigger(scheduler.client, "default/demo")
    for each in (scheduler, second, scheduler):
        await each.on_demand.step()
    assert [message["message_id"] for message in messages(scheduler.client)] == [run_id]
    assert scheduler.client.hlen(keys.SCHEDULE_TRIGGERS) == 0


@pytest.mark.parametrize("garbage", ["no JSON", "[]", "{}", '{"at": "noon", "uid": 1}'])
async def test_trigger_request_that_is_unreadable_is_dropped(scheduler: Scheduler, now: float, garbage: str) -> None:
    """An unreadable request is dropped, and the other requests are carried out."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule())
    scheduler.client.hset(keys.SCHEDULE_TRIGGERS, "by hand", garbage)
    run_id = request_trigger(scheduler.client, "default/demo")
    await scheduler.on_demand.step()
    assert [message["message_id"] for message in messages(scheduler.client)] == [run_id]
    assert scheduler.client.hlen(keys.SCHEDULE_TRIGGERS) == 0


async def test_trigger_request_during_an_active_run_records_the_overlap(scheduler: Scheduler, now: float) -> None:
    """A trigger during an active run is skipped, and its run record contains the reason."""
    scheduler.clock.set_wall(now)
    demo = schedule()
    await scheduler.load(demo)
    await scheduler.outcomes(RunSubmission(demo, "due", now + 60))
    run_id = request_trigger(scheduler.client, "demo")
    await scheduler.on_demand.step()
    assert scheduler.client.hmget(keys.run(run_id), "state", "error") == [b"skipped", b"overlap"]
    assert len(messages(scheduler.client)) == 1


async def test_trigger_request_with_refused_arguments_records_the_reason(scheduler: Scheduler, now: float) -> None:
    """A trigger with refused arguments is skipped, and its run record names the field."""
    scheduler.clock.set_wall(now)
    scheduler.refused["default/demo"] = "argument 'symbols.0': unknown symbol"
    await scheduler.load(schedule())
    run_id = request_trigger(scheduler.client, "demo")
    await scheduler.on_demand.step()
    expected = [b"skipped", b"argument 'symbols.0': unknown symbol"]
    assert scheduler.client.hmget(keys.run(run_id), "state", "error") == expected
    assert messages(scheduler.client) == []
    assert show_schedule(scheduler.client, "demo").skipped == {"refused": 1}


async def test_backfill_with_refused_arguments_is_refused(scheduler: Scheduler, now: float) -> None:
    """A backfill with refused arguments is refused with the field's name and enqueues nothing."""
    scheduler.clock.set_wall(now)
    scheduler.refused["default/demo"] = "argument 'symbols.0': unknown symbol"
    await scheduler.load(schedule())
    id = request_backfill(scheduler.client, "demo", now - 600, now)
    assert await run_backfill(scheduler, id) == "refused"
    assert show_backfill(scheduler.client, id).message == "argument 'symbols.0': unknown symbol"
    assert messages(scheduler.client) == []


async def test_annotations_with_refused_arguments_wait(scheduler: Scheduler, now: float) -> None:
    """A trigger and a backfill in annotations are carried out when the arguments become valid."""
    scheduler.clock.set_wall(now)
    scheduler.refused["default/demo"] = "unknown symbol"
    annotations = {TRIGGER: "1", BACKFILL: f"{iso(now - 600.5)}/{iso(now - 300.5)}"}
    await scheduler.load(schedule(annotations=annotations, concurrencyPolicy="Allow"))
    for _ in range(2):
        await scheduler.on_demand.step()
    assert messages(scheduler.client) == []
    scheduler.refused.clear()
    scheduler.engine.recheck_arguments()
    for _ in range(3):
        await scheduler.on_demand.step()
    assert len(messages(scheduler.client)) == 7


async def test_buffered_run_with_refused_arguments_waits(scheduler: Scheduler) -> None:
    """A buffered run does not start while the arguments are refused."""
    await scheduler.load(schedule(concurrencyPolicy="BufferOne"))
    for _ in range(2):
        await scheduler.pass_time(60)
    scheduler.end_run(messages(scheduler.client)[0]["message_id"])
    scheduler.refused["default/demo"] = "unknown symbol"
    scheduler.engine.recheck_arguments()
    await scheduler.on_demand.step()
    assert scheduler.due() == []
    scheduler.refused.clear()
    scheduler.engine.recheck_arguments()
    await scheduler.on_demand.step()
    assert scheduler.due() == [120]


async def test_trigger_request_older_than_an_hour_is_dropped(scheduler: Scheduler) -> None:
    """A trigger request that no scheduler carried out within an hour is dropped."""
    await scheduler.load(schedule())
    scheduler.clock.set_wall(time.time() + 3_700)
    run_id = request_trigger(scheduler.client, "demo")
    await scheduler.on_demand.step()
    assert messages(scheduler.client) == []
    assert scheduler.client.hlen(keys.SCHEDULE_TRIGGERS) == 0
    assert scheduler.client.exists(keys.run(run_id)) == 0


async def test_buffered_run_starts_after_the_previous_one(scheduler: Scheduler, second: Scheduler) -> None:
    """Any scheduler enqueues a buffered run within a second of the previous run's end."""
    for each in (scheduler, second):
        await each.load(schedule(concurrencyPolicy="BufferOne"))
    for _ in range(3):
        await scheduler.pass_time(60)
    assert scheduler.due() == [60]
    await second.on_demand.step()
    assert scheduler.due() == [60]
    scheduler.end_run(messages(scheduler.client)[0]["message_id"])
    for each in (second, scheduler):
        await each.on_demand.step()
    assert scheduler.due() == [120]
    assert scheduler.field(UID, "skipped_overlap") == "1"


@pytest.mark.parametrize(("edit", "left"), [({"suspend": True}, []), ({"retries": 1}, [120])])
async def test_buffered_run_after_an_edit_runs_unless_it_suspends(
    scheduler: Scheduler, edit: dict[str, object], left: list[float]
) -> None:
    """A buffered run is due, so it runs after an edit, with the new spec. A suspension drops it."""
    await scheduler.load(schedule(concurrencyPolicy="BufferOne"))
    for _ in range(2):
        await scheduler.pass_time(60)
    await scheduler.load(schedule(concurrencyPolicy="BufferOne", **edit), keep_known_state=False)
    scheduler.end_run(messages(scheduler.client)[0]["message_id"])
    await scheduler.on_demand.step()
    assert scheduler.due() == left
    assert [message["options"]["max_retries"] for message in messages(scheduler.client)] == [1] * len(left)


async def run_backfill(scheduler: Scheduler, id: str, steps: int = 20) -> str:
    for _ in range(steps):
        await scheduler.on_demand.step()
        if (state := show_backfill(scheduler.client, id).state) in {"finished", "refused"}:
            return state
    return show_backfill(scheduler.client, id).state


async def test_backfill_with_two_schedulers_enqueues_the_range_once(
    scheduler: Scheduler, second: Scheduler, now: float
) -> None:
    """A backfill enqueues every due time in its range in order, including both ends, once across all schedulers."""
    scheduler.clock.set_wall(now)
    for each in (scheduler, second):
        await each.load(schedule(concurrencyPolicy="Allow"))
    start = now - 0.5 - 600
    id = request_backfill(scheduler.client, "demo", start, start + 300)
    await second.on_demand.step()
    assert await run_backfill(scheduler, id) == "finished"
    await second.on_demand.step()
    expected = [start + 60 * number - T for number in range(6)]
    assert scheduler.due() == pytest.approx(expected)
    found = show_backfill(scheduler.client, id)
    assert (found.total, found.enqueued, found.name) == (6, 6, "default/demo")
    assert len({message["message_id"] for message in messages(scheduler.client)}) == 6


@pytest.mark.parametrize(
    "spec",
    [
        {"schedule": "@every 7m", "jitterSeconds": 90},
        {"schedules": ["15,45 0-4 * * *", "@every 1h"], "timeZone": "Europe/Berlin"},
        {"schedule": "30 * * * *", "timeZone": "America/New_York", "calendar": "XNYS"},
        {"schedule": "*/20 * * * *", "startTime": "2026-10-24T22:30:00Z", "endTime": "2026-10-25T03:00:00Z"},
    ],
    ids=["interval", "clock-change", "exchange", "limits"],
)
async def test_backfill_enqueues_the_due_times_of_its_preview(
    scheduler: Scheduler, now: float, spec: dict[str, object]
) -> None:
    """The preview, which reads the stored spec, has exactly the due times that the scheduler then enqueues."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=1_000, **spec))
    start, end = (datetime.fromisoformat(f"2026-10-{time}Z").timestamp() for time in ("22T12:00", "25T06:00"))
    plan = plan_backfill(show_schedule(scheduler.client, "demo"), start, end, now)
    id = request_backfill(scheduler.client, "demo", start, end)
    assert await run_backfill(scheduler, id, 20) == "finished"
    enqueued = [round(due + T) for due in scheduler.due()]
    assert len(enqueued) == plan.total == show_backfill(scheduler.client, id).total > 0
    assert (*enqueued[:5], *enqueued[max(5, len(enqueued) - 5) :]) == (*plan.first, *plan.last)


async def test_backfill_of_an_annotation_is_listed_once(scheduler: Scheduler, second: Scheduler, now: float) -> None:
    """All schedulers that read the annotation add the backfill once, and the list ends with its schedule."""
    scheduler.clock.set_wall(now)
    annotation = {BACKFILL: f"{iso(now - 600)}/{iso(now - 300)}"}
    for each in (scheduler, second, scheduler):
        await each.load(schedule(concurrencyPolicy="Allow", annotations=annotation))
        await each.on_demand.step()
    (found,) = list_backfills(scheduler.client, UID)
    assert (found.name, found.total) == ("default/demo", 5)
    await scheduler.registry.unregister({UID: Removal(scheduler.clock.now())})
    assert not scheduler.client.exists(keys.schedule_backfills(UID))


async def test_new_schedule_does_not_list_the_backfills_of_an_abandoned_one(
    scheduler: Scheduler, second: Scheduler, now: float
) -> None:
    """A schedule that nobody has claimed lately was deleted, but one of which only the record is lost was not."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule())
    request_backfill(scheduler.client, "demo", now - 600, now - 300)
    scheduler.client.delete(keys.schedule(UID))
    await scheduler.load(schedule(retries=1))
    assert scheduler.client.exists(keys.schedule(UID))
    assert scheduler.client.llen(keys.schedule_backfills(UID)) == 1
    scheduler.client.zadd(keys.SCHEDULES, {UID: 1.0})
    second.engine.apply(Changes([schedule()], keep_known_state=False))
    await second.step_until_idle()
    assert not scheduler.client.exists(keys.schedule_backfills(UID))


async def test_backfill_with_two_schedulers_reports_start_and_end_once(
    scheduler: Scheduler, second: Scheduler, now: float
) -> None:
    """If several schedulers start or end a backfill at the same time, only one of them reports it."""
    scheduler.clock.set_wall(now)
    recorder = BackfillRecorder()
    for each in (scheduler, second):
        each.listeners.append(recorder)
        await each.load(schedule(concurrencyPolicy="Allow"))
    start = now - 0.5 - 600
    request_backfill(scheduler.client, "demo", start, start + 300)
    for _ in range(5):
        await asyncio.gather(scheduler.on_demand.step(), second.on_demand.step())
    assert recorder.changes == [(UID, "started", "due times of its range to be enqueued: 6"), (UID, "finished", "")]


async def test_backfill_with_a_clock_that_is_behind_runs_its_whole_range(scheduler: Scheduler, now: float) -> None:
    """A scheduler whose clock has not reached the end of the range waits for it, and does not end the backfill."""
    scheduler.clock.set_wall(now - 50)
    await scheduler.load(schedule(concurrencyPolicy="Allow"))
    id = request_backfill(scheduler.client, "demo", now - 300.5, now - 0.5)
    assert await run_backfill(scheduler, id) == "pending"
    scheduler.clock.set_wall(now)
    assert await run_backfill(scheduler, id) == "finished"
    found = show_backfill(scheduler.client, id)
    assert (found.total, found.enqueued) == (6, 6)


async def test_backfill_of_a_deleted_schedule_is_refused(scheduler: Scheduler, second: Scheduler, now: float) -> None:
    """Otherwise, it would count for the limit of backfills forever. A schedule that is not registered yet keeps it."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=0))
    id = request_backfill(scheduler.client, "demo", now - 600, now - 300)
    assert await run_backfill(second, id, 3) == "pending"
    assert await run_backfill(scheduler, id, 3) == "running"
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    assert await run_backfill(scheduler, id, 2) == "refused"
    assert show_backfill(scheduler.client, id).message == "its schedule was deleted"
    assert scheduler.client.scard(keys.SCHEDULE_BACKFILLS) == 0


@pytest.mark.parametrize("spec", [{"schedule": "@every 1h"}, {"after": "other"}], ids=["nothing-left", "follower"])
async def test_backfill_by_a_scheduler_that_does_not_know_an_edit_goes_on(
    scheduler: Scheduler, second: Scheduler, now: float, spec: dict[str, Any]
) -> None:
    """Only the spec that is registered decides whether a backfill is finished or refused."""
    scheduler.clock.set_wall(now)
    await second.load(schedule(concurrencyPolicy="Allow", **spec))
    await scheduler.load(schedule(concurrencyPolicy="Allow", schedule="@every 60s"))
    start = now // 3_600 * 3_600 + 60 if now % 3_600 > 400 else now // 3_600 * 3_600 - 1_200
    id = request_backfill(scheduler.client, "demo", start, start + 240)
    assert await run_backfill(second, id, 3) in {"pending", "running"}
    assert await run_backfill(scheduler, id) == "finished"
    assert show_backfill(scheduler.client, id).enqueued == 5


async def test_backfill_with_full_queue_waits(scheduler: Scheduler, now: float) -> None:
    """A backfill keeps at most `maxQueueDepth` + 1 messages in the queue, skips no due time and shows its progress."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=3))
    id = request_backfill(scheduler.client, "demo", now - 1_200, now - 600)
    assert await run_backfill(scheduler, id, 3) == "running"
    assert show_backfill(scheduler.client, id).enqueued == 4
    for _ in range(10):
        for message in messages(scheduler.client):
            scheduler.end_run(message["message_id"])
        await scheduler.on_demand.step()
    found = show_backfill(scheduler.client, id)
    assert (found.state, found.enqueued, found.total) == ("finished", 10, 10)
    assert scheduler.field(UID, "skipped_backlog") is None


@pytest.mark.parametrize("policy", ["Forbid", "Replace", "BufferOne"])
async def test_backfill_without_overlaps_runs_one_at_a_time(scheduler: Scheduler, now: float, policy: str) -> None:
    """If overlaps are not allowed, a backfill runs one message at a time and neither replaces nor skips any."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(concurrencyPolicy=policy))
    id = request_backfill(scheduler.client, "demo", now - 1_200, now - 900)
    for number in range(1, 6):
        await scheduler.on_demand.step()
        assert show_backfill(scheduler.client, id).enqueued == number
        (message,) = messages(scheduler.client)
        scheduler.end_run(message["message_id"])


async def test_backfill_after_death_of_its_scheduler_is_finished_by_another(
    scheduler: Scheduler, second: Scheduler, now: float
) -> None:
    """Another scheduler finishes a backfill, without a gap or a repetition."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=4))
    id = request_backfill(scheduler.client, "demo", now - 1_200, now - 600)
    await scheduler.on_demand.step()
    enqueued = scheduler.due()
    for message in messages(scheduler.client):
        scheduler.end_run(message["message_id"])
    await second.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=4))
    while show_backfill(scheduler.client, id).state != "finished":
        await second.on_demand.step()
        enqueued += scheduler.due()
        for message in messages(scheduler.client):
            scheduler.end_run(message["message_id"])
    assert len(enqueued) == len(set(enqueued)) == 10


async def test_backfill_that_another_scheduler_ended_stays_ended(
    scheduler: Scheduler, second: Scheduler, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler still counting a backfill's due times does not restart it after another one has ended it."""
    scheduler.clock.set_wall(now)
    for each in (scheduler, second):
        await each.load(schedule(concurrencyPolicy="Allow"))
    id = request_backfill(scheduler.client, "demo", now - 600, now - 300)

    async def slow(work: Callable[..., int], *arguments: Any) -> int:
        monkeypatch.undo()
        assert await run_backfill(second, id) == "finished"
        return work(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", slow)
    await scheduler.on_demand.step()
    assert show_backfill(scheduler.client, id).state == "finished"


async def test_backfill_annotation_that_is_read_again_runs_once(
    scheduler: Scheduler, redis_url: str, now: float
) -> None:
    """A range in the annotation is backfilled once, no matter how often the file is read."""
    backfill = f"{iso(now - 600.5)}/{iso(now - 300.5)}"
    for _ in range(3):
        again = build(redis_url, ManualClock(now), scheduler.client)
        await again.load(schedule(annotations={BACKFILL: backfill}, concurrencyPolicy="Allow"))
        for _ in range(3):
            await again.on_demand.step()
        await again.connection.aclose()
        # Its record may have expired in the meantime.
        for key in scheduler.client.keys("financehub:backfill:*"):
            scheduler.client.delete(key)
    assert len(messages(scheduler.client)) == 6


@pytest.mark.parametrize(
    ("spec", "start", "message"),
    [
        ({"schedule": "@every 1s"}, 86_400, "more than 10000 due times; request a shorter range"),
        ({"calendar": "XNYS"}, 10 * 365 * 86_400, "XNYS covers only the days from 2025-01-01"),
    ],
)
async def test_backfill_of_an_excessive_range_is_refused(
    scheduler: Scheduler, now: float, spec: dict[str, object], start: float, message: str
) -> None:
    """A range with too many due times, or beyond the calendar, is refused with the reason and enqueues nothing."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(**spec))
    id = request_backfill(scheduler.client, "demo", now - start, now)
    assert await run_backfill(scheduler, id) == "refused"
    assert message in show_backfill(scheduler.client, id).message
    assert messages(scheduler.client) == []


async def test_backfill_that_an_edit_puts_outside_of_the_calendar_holds_no_other_up(
    scheduler: Scheduler, now: float
) -> None:
    """A backfill that has started is refused with the reason if its next due times are unknown, and others go on."""
    scheduler.clock.set_wall(now)
    others = [schedule(f"s{at}", f"5d1c1a64-8a63-5a0e-9b0a-{at:012d}", concurrencyPolicy="Allow") for at in range(8)]
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=1_000), *others)
    begin = datetime(2024, 6, 3, tzinfo=UTC).timestamp()
    id = request_backfill(scheduler.client, "demo", begin, begin + 6_000)
    await scheduler.on_demand.step()
    assert (show_backfill(scheduler.client, id).total, len(messages(scheduler.client))) == (101, 50)
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=1_000, calendar="XNYS"))
    more = [request_backfill(scheduler.client, each.name, now - 600, now - 300) for each in others]
    for _ in range(3):
        await scheduler.on_demand.step()
    assert {show_backfill(scheduler.client, each).state for each in more} == {"finished"}
    refused = show_backfill(scheduler.client, id)
    assert (refused.state, refused.enqueued) == ("refused", 50)
    assert "XNYS covers only the days from 2025-01-01" in refused.message


async def test_request_with_invalid_arguments_raises(scheduler: Scheduler, now: float) -> None:
    """An unknown or ambiguous name and an impossible range raise before anything is requested."""
    await scheduler.load(schedule())
    scheduler.client.hset(keys.SCHEDULE_NAMES, "prod/demo", "another")
    with pytest.raises(
        InvalidArgumentsError, match="'nope' is not registered; registered schedules: default/demo, prod/demo"
    ):
        request_trigger(scheduler.client, "nope")
    with pytest.raises(InvalidArgumentsError, match="in several namespaces: default/demo, prod/demo"):
        request_trigger(scheduler.client, "demo")
    with pytest.raises(InvalidArgumentsError, match="must end in the past"):
        request_backfill(scheduler.client, "default/demo", now - 60, now + 3_600)
    with pytest.raises(InvalidArgumentsError, match="not before its start"):
        request_backfill(scheduler.client, "default/demo", now - 60, now - 61)
    with pytest.raises(InvalidArgumentsError, match="'x' is unknown"):
        show_backfill(scheduler.client, "x")


async def test_backfill_annotations_of_a_schedule_run_one_after_another(scheduler: Scheduler, now: float) -> None:
    """Somebody who keeps changing the annotation has one unfinished backfill, and no pile of records."""

    async def annotate(number: int) -> None:
        value = f"{iso(now - 600.5)}/{iso(now - number - 300.5)}"
        await scheduler.load(schedule(annotations={BACKFILL: value}, concurrencyPolicy="Allow"))
        await scheduler.on_demand.step()

    scheduler.refused["default/demo"] = ""
    await scheduler.load(schedule(concurrencyPolicy="Allow"))
    for number in range(30):
        await annotate(number)
        assert scheduler.client.scard(keys.SCHEDULE_BACKFILLS) <= 1
    for _ in range(5):
        await scheduler.on_demand.step()
    records = scheduler.client.keys(keys.backfill("*"))
    assert len(records) > 2
    newest = scheduler.client.hget(keys.schedule(UID), "annotated_backfill").decode()
    kept = [key for key in records if scheduler.client.ttl(key) > 3_600]
    assert kept == [keys.backfill(newest).encode()]
    assert show_backfill(scheduler.client, newest).end == pytest.approx(now - 29 - 300.5)


async def test_annotation_of_a_deleted_schedule_that_still_waits_is_forgotten(scheduler: Scheduler, now: float) -> None:
    """Its backfill would never end if Redis had forgotten the deletion as well, and would count for the limit."""
    scheduler.clock.set_wall(now)
    for number in range(2):
        value = f"{iso(now - 600.5)}/{iso(now - number - 300.5)}"
        await scheduler.load(schedule(annotations={BACKFILL: value}, concurrencyPolicy="Allow", maxQueueDepth=0))
        await scheduler.on_demand.step()
    (first,) = scheduler.client.smembers(keys.SCHEDULE_BACKFILLS)
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    scheduler.client.delete(keys.schedule(UID))
    scheduler.client.srem(keys.SCHEDULE_BACKFILLS, first)
    for _ in range(3):
        await scheduler.on_demand.step()
    assert scheduler.client.smembers(keys.SCHEDULE_BACKFILLS) == set()
    assert not scheduler.client.exists(keys.schedule(UID))


class _Remover(SchedulerListener):
    """Another task removes a schedule while the run of its trigger annotation is submitted."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def run_answered(self, run: RunSubmission, outcome: EnqueueOutcome, at: float) -> None:
        self._scheduler.on_demand.schedule_removed(run.schedule)


async def test_annotation_of_a_schedule_that_is_deleted_in_the_meantime_is_forgotten(
    scheduler: Scheduler, now: float
) -> None:
    """The deletion may come between the run that one annotation requests and the backfill that the other requests."""
    scheduler.clock.set_wall(now)
    scheduler.listeners.append(_Remover(scheduler))
    annotations = {TRIGGER: "now", BACKFILL: f"{iso(now - 600.5)}/{iso(now - 300.5)}"}
    await scheduler.load(schedule(annotations=annotations, concurrencyPolicy="Allow"))
    await scheduler.on_demand.step()
    assert len(messages(scheduler.client)) == 1
    assert scheduler.client.scard(keys.SCHEDULE_BACKFILLS) == 0
