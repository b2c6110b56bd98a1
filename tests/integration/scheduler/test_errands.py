"""Triggers, buffered runs and backfills."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from financehub_scheduler.api.scheduled_task import BACKFILL, TRIGGER
from financehub_scheduler.redis.enqueuer import ScheduledRun
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.redis import keys
from financehub_shared.schedules import request_backfill, request_trigger, show_backfill, show_schedule
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.fixture
async def now(redis_url: str) -> float:
    """Half a second after a full minute, within the last two of real time: requests carry it."""
    return time.time() // 60 * 60 - 59.5


async def test_a_trigger_annotation_runs_once_per_value(scheduler: Scheduler, second: Scheduler) -> None:
    """Every new value of the annotation runs the schedule once, over all schedulers and restarts."""
    for value, expected in (("first-start", 1), ("again", 2)):
        for each in (scheduler, second, scheduler):
            await each.load(schedule(annotations={TRIGGER: value}, concurrencyPolicy="Allow"))
            await each.on_demand.step()
        assert len(messages(scheduler.client)) == expected
    assert show_schedule(scheduler.client, "demo").triggered == 2


async def test_a_suspended_schedule_can_be_triggered(scheduler: Scheduler, now: float) -> None:
    """Suspension stops the timetable, not the hand; neither do a deep queue, a closed exchange or an end."""
    scheduler.clock.set_wall(now)
    spec = {"suspend": True, "maxQueueDepth": 0, "calendar": "XNYS", "endTime": "2026-01-01T00:00:00Z"}
    await scheduler.load(schedule(**spec))
    scheduler.client.hset("dramatiq:q.msgs", "other", "{}")
    request_trigger(scheduler.client, "demo")
    await scheduler.on_demand.step()
    assert scheduler.client.llen("dramatiq:q") == 1


async def test_a_request_runs_once(scheduler: Scheduler, second: Scheduler, now: float) -> None:
    """A trigger asked for through Redis is carried out by one of several schedulers, under the id it was promised."""
    scheduler.clock.set_wall(now)
    for each in (scheduler, second):
        await each.load(schedule(concurrencyPolicy="Allow"))
    promised = request_trigger(scheduler.client, "default/demo")
    for each in (scheduler, second, scheduler):
        await each.on_demand.step()
    assert [message["message_id"] for message in messages(scheduler.client)] == [promised]
    assert scheduler.client.hlen(keys.SCHEDULE_TRIGGERS) == 0


@pytest.mark.parametrize("garbage", ["no JSON", "[]", "{}", '{"at": "noon", "uid": 1}'])
async def test_a_request_nobody_can_read_stops_nobody(scheduler: Scheduler, now: float, garbage: str) -> None:
    """What was written into the requests by hand is dropped, and the requests beside it are carried out."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule())
    scheduler.client.hset(keys.SCHEDULE_TRIGGERS, "by hand", garbage)
    promised = request_trigger(scheduler.client, "default/demo")
    await scheduler.on_demand.step()
    assert [message["message_id"] for message in messages(scheduler.client)] == [promised]
    assert scheduler.client.hlen(keys.SCHEDULE_TRIGGERS) == 0


async def test_a_request_that_the_policy_forbids_says_so(scheduler: Scheduler, now: float) -> None:
    """A trigger while the last run is not over is skipped, and whoever follows it reads why."""
    scheduler.clock.set_wall(now)
    demo = schedule()
    await scheduler.load(demo)
    await scheduler.outcomes(ScheduledRun(demo, "due", now + 60))
    promised = request_trigger(scheduler.client, "demo")
    await scheduler.on_demand.step()
    assert scheduler.client.hmget(keys.run(promised), "state", "error") == [b"skipped", b"overlap"]
    assert len(messages(scheduler.client)) == 1


async def test_a_request_of_a_refused_schedule_says_why(scheduler: Scheduler, now: float) -> None:
    """A trigger whose arguments are refused is over at once, and whoever follows it reads the field at fault."""
    scheduler.clock.set_wall(now)
    scheduler.refused["default/demo"] = "argument 'symbols.0': unknown symbol"
    await scheduler.load(schedule())
    promised = request_trigger(scheduler.client, "demo")
    await scheduler.on_demand.step()
    expected = [b"skipped", b"argument 'symbols.0': unknown symbol"]
    assert scheduler.client.hmget(keys.run(promised), "state", "error") == expected
    assert messages(scheduler.client) == []
    assert show_schedule(scheduler.client, "demo").skipped == {"refused": 1}


async def test_a_backfill_of_a_refused_schedule_says_why(scheduler: Scheduler, now: float) -> None:
    """A backfill whose arguments are refused ends with the field at fault, and enqueues nothing."""
    scheduler.clock.set_wall(now)
    scheduler.refused["default/demo"] = "argument 'symbols.0': unknown symbol"
    await scheduler.load(schedule())
    id = request_backfill(scheduler.client, "demo", now - 600, now)
    assert await run_backfill(scheduler, id) == "refused"
    assert show_backfill(scheduler.client, id).message == "argument 'symbols.0': unknown symbol"
    assert messages(scheduler.client) == []


async def test_annotations_of_a_refused_schedule_wait(scheduler: Scheduler, now: float) -> None:
    """A trigger and a backfill in the annotations are carried out once the arguments are no longer refused."""
    scheduler.clock.set_wall(now)
    scheduler.refused["default/demo"] = "unknown symbol"
    wish = {TRIGGER: "1", BACKFILL: f"{iso(now - 600.5)}/{iso(now - 300.5)}"}
    await scheduler.load(schedule(annotations=wish, concurrencyPolicy="Allow"))
    for _ in range(2):
        await scheduler.on_demand.step()
    assert messages(scheduler.client) == []
    scheduler.refused.clear()
    scheduler.engine.recheck_arguments()
    for _ in range(3):
        await scheduler.on_demand.step()
    assert len(messages(scheduler.client)) == 7


async def test_a_waiting_run_waits_while_it_is_refused(scheduler: Scheduler) -> None:
    """With BufferOne the waiting run does not start while the arguments are refused."""
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


async def test_a_request_nobody_could_carry_out_is_forgotten(scheduler: Scheduler) -> None:
    """A trigger of a schedule that no scheduler runs any more does not fire out of the blue hours later."""
    await scheduler.load(schedule())
    scheduler.clock.set_wall(time.time() + 3_700)
    promised = request_trigger(scheduler.client, "demo")
    await scheduler.on_demand.step()
    assert messages(scheduler.client) == []
    assert scheduler.client.hlen(keys.SCHEDULE_TRIGGERS) == 0
    assert scheduler.client.exists(keys.run(promised)) == 0


async def test_a_waiting_run_follows_the_running_one(scheduler: Scheduler, second: Scheduler) -> None:
    """With BufferOne the waiting run starts within a second of the end of the running one, whoever let it wait."""
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


@pytest.mark.parametrize("edit", [{"suspend": True}, {"retries": 1}])
async def test_an_edit_drops_the_waiting_run(scheduler: Scheduler, edit: dict[str, object]) -> None:
    """A run that waits when the schedule is edited, or suspended, was asked for by the old spec and does not come."""
    await scheduler.load(schedule(concurrencyPolicy="BufferOne"))
    for _ in range(2):
        await scheduler.pass_time(60)
    await scheduler.load(schedule(concurrencyPolicy="BufferOne", **edit), initial=False)
    scheduler.end_run(messages(scheduler.client)[0]["message_id"])
    await scheduler.on_demand.step()
    assert messages(scheduler.client) == []


async def run_backfill(scheduler: Scheduler, id: str, steps: int = 20) -> str:
    for _ in range(steps):
        await scheduler.on_demand.step()
        if (state := show_backfill(scheduler.client, id).state) in {"finished", "refused"}:
            return state
    return show_backfill(scheduler.client, id).state


async def test_a_backfill_runs_the_range_once(scheduler: Scheduler, second: Scheduler, now: float) -> None:
    """A backfill enqueues every due time of its range in order, both ends included, once over all schedulers."""
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


async def test_start_and_end_of_a_backfill_are_told_once(scheduler: Scheduler, second: Scheduler, now: float) -> None:
    """Of schedulers that come to the start or the end of a backfill at once, one tells of it."""
    scheduler.clock.set_wall(now)
    told: list[tuple[str, ...]] = []
    for each in (scheduler, second):
        each.on_demand.on_backfill = lambda *news: told.append(news)
        await each.load(schedule(concurrencyPolicy="Allow"))
    start = now - 0.5 - 600
    request_backfill(scheduler.client, "demo", start, start + 300)
    for _ in range(5):
        await asyncio.gather(scheduler.on_demand.step(), second.on_demand.step())
    assert told == [(UID, "started", "due times of its range to be enqueued: 6"), (UID, "finished", "")]


async def test_a_backfill_waits_for_room(scheduler: Scheduler, now: float) -> None:
    """A backfill keeps at most `maxQueueDepth` and one messages in the queue, skips nothing, and shows its progress."""
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
async def test_a_backfill_takes_its_turn(scheduler: Scheduler, now: float, policy: str) -> None:
    """Unless overlaps are allowed a backfill runs one after the other, and replaces or skips nothing."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(concurrencyPolicy=policy))
    id = request_backfill(scheduler.client, "demo", now - 1_200, now - 900)
    for number in range(1, 6):
        await scheduler.on_demand.step()
        assert show_backfill(scheduler.client, id).enqueued == number
        (message,) = messages(scheduler.client)
        scheduler.end_run(message["message_id"])


async def test_a_backfill_survives_its_scheduler(scheduler: Scheduler, second: Scheduler, now: float) -> None:
    """A backfill whose scheduler died half-way is finished by the next, without gap or repetition."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=4))
    id = request_backfill(scheduler.client, "demo", now - 1_200, now - 600)
    await scheduler.on_demand.step()
    seen = scheduler.due()
    for message in messages(scheduler.client):
        scheduler.end_run(message["message_id"])
    await second.load(schedule(concurrencyPolicy="Allow", maxQueueDepth=4))
    while show_backfill(scheduler.client, id).state != "finished":
        await second.on_demand.step()
        seen += scheduler.due()
        for message in messages(scheduler.client):
            scheduler.end_run(message["message_id"])
    assert len(seen) == len(set(seen)) == 10


async def test_a_scheduler_that_is_late_does_not_revive_a_backfill(
    scheduler: Scheduler, second: Scheduler, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that still counts the due times of a backfill when another has ended it leaves it ended."""
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


async def test_a_backfill_annotation_is_carried_out_once(scheduler: Scheduler, redis_url: str, now: float) -> None:
    """A range in the annotation is backfilled once, however often the file is read again."""
    wish = f"{iso(now - 600.5)}/{iso(now - 300.5)}"
    for _ in range(3):
        again = build(redis_url, ManualClock(now), scheduler.client)
        await again.load(schedule(annotations={BACKFILL: wish}, concurrencyPolicy="Allow"))
        for _ in range(3):
            await again.errands.step()
        await again.connection.aclose()
        # its record may have expired meanwhile
        for key in scheduler.client.keys("financehub:backfill:*"):
            scheduler.client.delete(key)
    assert len(messages(scheduler.client)) == 6


@pytest.mark.parametrize(
    ("spec", "start", "says"),
    [
        ({"schedule": "@every 1s"}, 86_400, "more than 10000 due times; ask for a shorter range"),
        ({"calendar": "XNYS"}, 10 * 365 * 86_400, "XNYS is known from 2025-01-01"),
    ],
)
async def test_a_backfill_that_asks_too_much_is_refused(
    scheduler: Scheduler, now: float, spec: dict[str, object], start: float, says: str
) -> None:
    """A range of too many due times, or beyond the calendar, is refused with the reason, and enqueues nothing."""
    scheduler.clock.set_wall(now)
    await scheduler.load(schedule(**spec))
    id = request_backfill(scheduler.client, "demo", now - start, now)
    assert await run_backfill(scheduler, id) == "refused"
    assert says in show_backfill(scheduler.client, id).message
    assert messages(scheduler.client) == []


async def test_requests_are_checked_where_they_are_made(scheduler: Scheduler, now: float) -> None:
    """An unknown or ambiguous name and an impossible range are refused before anything is asked of a scheduler."""
    await scheduler.load(schedule())
    scheduler.client.hset(keys.SCHEDULE_NAMES, "prod/demo", "another")
    with pytest.raises(InvalidArgumentsError, match="'nope' is not registered; known are default/demo, prod/demo"):
        request_trigger(scheduler.client, "nope")
    with pytest.raises(InvalidArgumentsError, match="in several namespaces: default/demo, prod/demo"):
        request_trigger(scheduler.client, "demo")
    with pytest.raises(InvalidArgumentsError, match="must end in the past"):
        request_backfill(scheduler.client, "default/demo", now - 60, now + 3_600)
    with pytest.raises(InvalidArgumentsError, match="not before its start"):
        request_backfill(scheduler.client, "default/demo", now - 60, now - 61)
    with pytest.raises(InvalidArgumentsError, match="'x' is not known"):
        show_backfill(scheduler.client, "x")
