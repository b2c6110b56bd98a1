"""Edits, suspensions, pauses and deletions between a due time and its enqueue, on a real Redis."""

import itertools
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.redis.registry import Registration
from financehub_shared.core.clock import ManualClock
from financehub_shared.operations.schedules import pause_schedules, resume_schedules
from financehub_shared.redis import keys
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, messages, schedule

POLICIES = ["Allow", "Forbid", "Replace", "BufferOne", "BufferAll"]


def jittered(seconds: int, **spec: Any) -> Schedule:
    """Return a schedule whose run is enqueued `offset(seconds)` after its due time."""
    return schedule(**{"concurrencyPolicy": "Allow", "jitterSeconds": seconds} | spec)


def offset(seconds: int) -> float:
    """Return the offset of `jittered(seconds)`."""
    return jittered(seconds).recurrence.offset


async def edit(scheduler: Scheduler, edited: Schedule) -> None:
    """Report an edit, as a source does."""
    await scheduler.load(edited, keep_known_state=False)


async def step_until(scheduler: Scheduler, time: float) -> None:
    """Advance the clock to a time (seconds after T) in steps of half a second."""
    while (rest := T + time - scheduler.clock.now()) > 0:
        await scheduler.pass_time(min(0.5, rest))


EDITS: dict[str, dict[str, Any]] = {
    "jitter removed": {"jitterSeconds": 0},
    "jitter shortened": {"jitterSeconds": 5},
    "jitter lengthened": {"jitterSeconds": 3_000},
    "another schedule": {"schedule": "@yearly"},
    "another schedule without jitter": {"schedule": "@every 7m", "jitterSeconds": 0},
    "other arguments": {"args": [1]},
    "another queue": {"queue": "q2"},
    "a deadline": {"startingDeadlineSeconds": 1},
    "an end": {"endTime": "2027-01-15T08:00:30Z"},
    "another calendar": {"calendar": "XNYS"},
}


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("name", EDITS)
async def test_run_that_waits_for_its_jitter_survives_an_edit(
    scheduler: Scheduler, second: Scheduler, name: str, down: bool
) -> None:
    """It runs once, with the new spec: at its due time plus the new jitter, or at once if that has passed. If the
    scheduler that has registered the edit ends at once, another one runs it.
    """
    assert 20 < offset(50) < 49
    await scheduler.load(jittered(50))
    await step_until(scheduler, 60 + 10)
    edited = jittered(50, **EDITS[name])
    await scheduler.registry.register([registration(edited)], scheduler.clock.now())
    driver = second if down else scheduler
    await edit(driver, edited)
    planned = max(60 + edited.recurrence.offset, 70)
    if planned > 70:
        await step_until(driver, planned - 0.1)
        assert runs_of(scheduler.client, 60) == []
    await step_until(driver, planned + 0.5)
    [message] = runs_of(scheduler.client, 60)
    assert message["queue_name"] == edited.queue
    assert message["args"] == EDITS[name].get("args", [])
    await step_until(driver, planned + 120)
    assert len(runs_of(scheduler.client, 60)) == 1
    assert scheduler.field(UID, "missed") is None
    # No due time of the new spec before the edit runs.
    assert all(due > T + 70 for due in due_times(scheduler.client) if due != T + 60)


def registration(edited: Schedule) -> Registration:
    """Return the registration of an edit."""
    return Registration(edited, T, keep_known_state=True)


def due_times(client: "redis.Redis") -> list[float]:
    """Return the due times of all messages in Unix seconds."""
    return [each["options"]["due_at"] / 1000 for queue in ("q", "q2") for each in messages(client, queue)]


def runs_of(client: "redis.Redis", due: float) -> list[dict[str, Any]]:
    """Return the messages of a due time, which is in seconds after T."""
    found = [each for queue in ("q", "q2") for each in messages(client, queue)]
    return [each for each in found if each["options"]["due_at"] / 1000 == T + due]


async def test_run_that_waits_survives_several_edits(scheduler: Scheduler) -> None:
    """Each edit keeps what the one before has kept, and the newest spec decides when it runs."""
    await scheduler.load(jittered(50))
    await step_until(scheduler, 62)
    for seconds in (3_000, 100, 3_000, 80):
        await edit(scheduler, jittered(seconds, schedule="@yearly"))
        await scheduler.pass_time(2)
    assert runs_of(scheduler.client, 60) == []
    await step_until(scheduler, 60 + offset(80) + 0.5)
    assert due_times(scheduler.client) == [T + 60]


async def test_run_of_a_busy_scheduler_survives_an_edit(scheduler: Scheduler) -> None:
    """A due time that the loop has not reached yet, because it was busy for a moment, runs after the edit."""
    await scheduler.load(jittered(0))
    scheduler.clock.advance(60)
    await edit(scheduler, jittered(0, args=[1]))
    assert [each["args"] for each in runs_of(scheduler.client, 60)] == [[1]]


@pytest.mark.parametrize(("late", "expected"), [(10, [60]), (10.1, [])])
async def test_edit_ends_the_catch_up(scheduler: Scheduler, late: float, expected: list[float]) -> None:
    """A due time that no scheduler could enqueue in time is not caught up after an edit, and is not missed either."""
    await scheduler.load(jittered(0, catchUp="All"))
    scheduler.clock.set_wall(T + 60 + late)
    await edit(scheduler, jittered(0, catchUp="All", args=[1]))
    assert scheduler.due() == expected
    assert scheduler.field(UID, "missed") is None


async def test_more_than_a_hundred_waiting_runs_are_cut_and_counted(scheduler: Scheduler) -> None:
    """An edit keeps the newest hundred of them, and the others count as missed."""
    frequent = {"schedule": "@every 1s", "jitterSeconds": 86_400}
    scheduler.enqueuer._context["max_backlog"] = 1_000
    await scheduler.load(jittered(0, **frequent))
    await scheduler.pass_time(250)
    await edit(scheduler, jittered(0, schedule="@yearly", catchUp="All"))
    assert scheduler.due() == [float(second) for second in range(151, 251)]
    assert scheduler.field(UID, "missed") == "150"


async def test_pause_drops_pending_runs_also_for_a_scheduler_that_starts_later(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """A resumption is a change, so what an edit before the pause has kept does not run any more."""
    await scheduler.load(jittered(50))
    await step_until(scheduler, 65)
    edited = jittered(50, schedule="@yearly")
    await edit(scheduler, edited)
    await scheduler.pass_time(1)
    await pause_and_resume(scheduler)
    await second.load(edited)
    for each in (scheduler, second):
        await each.pass_time(60)
    assert due_times(scheduler.client) == []


async def pause_and_resume(scheduler: Scheduler) -> None:
    """Pause the schedule and resume it at once."""
    pause_schedules(scheduler.client, ["demo"], "maintenance", "alice")
    await scheduler.pauses.step()
    resume(scheduler)
    await scheduler.pauses.step()


def resume(scheduler: Scheduler) -> None:
    """Resume the schedule, which the scheduler has not noticed yet."""
    resume_schedules(scheduler.client, ["demo"])
    # The time of Redis, with which it records the resumption, is not that of the test.
    scheduler.client.hset(keys.schedule(UID), "changed_at", f"{scheduler.clock.now():.3f}")


@pytest.mark.parametrize("kept", [False, True], ids=["due", "kept by an earlier edit"])
async def test_resumption_between_the_two_steps_of_an_edit_drops_what_was_due_before(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """The first step has computed what stays due, and a resumption ends that before the second step."""
    await scheduler.load(jittered(50))
    await step_until(scheduler, 65)
    if kept:
        await edit(scheduler, jittered(3_000))
        await scheduler.pass_time(1)
    pause_schedules(scheduler.client, ["demo"], "maintenance", "alice")
    await scheduler.pauses.step()
    register, replies = scheduler.registry._register, list[Any]()

    async def resume_after_the_first(**arguments: Any) -> Any:
        replies.append(await register(**arguments))
        if len(replies) == 1:
            resume(scheduler)
        return replies[-1]

    monkeypatch.setattr(scheduler.registry, "_register", resume_after_the_first)
    scheduler.engine.apply(Changes([jittered(50, args=[1])], keep_known_state=True))
    await scheduler.step_until_idle()
    assert [reply[0][0] for reply in replies] == [b"edited", b"changed"]
    await scheduler.pass_time(60)
    assert runs_of(scheduler.client, 60) == []
    await scheduler.pass_time(60)
    assert len(runs_of(scheduler.client, 120)) == 1


async def test_edit_by_a_clock_that_is_behind_a_resumption_runs_nothing_of_the_pause(
    scheduler: Scheduler, second: Scheduler
) -> None:
    """The resumption stays the newest change for all schedulers, although the time of the edit is earlier."""
    edited = schedule(concurrencyPolicy="Allow", catchUp="All", args=[1])
    await scheduler.load(schedule(concurrencyPolicy="Allow", catchUp="All"))
    await step_until(scheduler, 57)
    pause_schedules(scheduler.client, ["demo"], "maintenance", "alice")
    await scheduler.pauses.step()
    resume_schedules(scheduler.client, ["demo"])
    scheduler.client.hset(keys.schedule(UID), "changed_at", f"{T + 61:.3f}")
    await scheduler.pauses.step()
    await edit(scheduler, edited)
    await second.load(edited)
    for each in (second, scheduler):
        await step_until(each, 121)
    assert due_times(scheduler.client) == [T + 120]


async def test_waiting_runs_survive_a_loss_of_redis(scheduler: Scheduler) -> None:
    """A scheduler that registers its schedules again has the pending due times in its memory."""
    await scheduler.load(jittered(50))
    await step_until(scheduler, 65)
    await edit(scheduler, jittered(50, schedule="@yearly"))
    scheduler.client.flushall()
    scheduler.engine.restore(await scheduler.registry.claim([UID], scheduler.clock.now()))
    await step_until(scheduler, 60 + offset(50) + 0.5)
    assert due_times(scheduler.client) == [T + 60]


@pytest.mark.parametrize("spec", [{"schedule": "@every 1m"}, {"after": "prices"}])
async def test_pending_run_survives_an_edit_of_a_spec_whose_calendar_has_ended(
    scheduler: Scheduler, spec: dict[str, Any]
) -> None:
    """The due time was found before the spec with the calendar, which has no known day any more."""
    begin = datetime(2032, 1, 2, tzinfo=UTC).timestamp() - T
    delay = offset(600)
    assert delay > 90, "the run still waits when a further due time of the second spec passes"
    scheduler.clock.set_wall(T + begin + 30)
    prices = schedule("prices", "5d1c1a64-8a63-5a0e-9b0a-000000000001", schedule="@yearly")
    await scheduler.load(jittered(600), prices)
    await step_until(scheduler, begin + 65)
    await edit(scheduler, schedule(calendar="XNYS", concurrencyPolicy="Allow", jitterSeconds=600, **spec))
    assert scheduler.engine.states[UID].kept_due_times == (T + begin + 60,)
    await step_until(scheduler, begin + 130)
    scheduler.client.hset(keys.schedule(prices.uid), "last_success_at", T + begin + 125)
    await edit(scheduler, jittered(600, schedule="@yearly"))
    await step_until(scheduler, begin + 60 + delay + 5)
    assert due_times(scheduler.client) == [T + begin + 60]


@pytest.mark.parametrize("is_same_spec", [True, False])
async def test_pending_runs_that_a_scheduler_remembers_end_with_a_deactivation(
    scheduler: Scheduler, second: Scheduler, *, is_same_spec: bool
) -> None:
    """Another scheduler has refused the schedule meanwhile. The first one, which did not, does not bring runs back."""
    await scheduler.load(jittered(50))
    await step_until(scheduler, 65)
    pending = jittered(50, schedule="@yearly")
    await edit(scheduler, pending)
    assert scheduler.engine.states[UID].kept_due_times == (T + 60,)
    await second.registry.deactivate({UID: "its document is invalid"})
    await edit(scheduler, pending if is_same_spec else jittered(50, schedule="@yearly", retries=1))
    assert scheduler.engine.states[UID].kept_due_times == ()
    await step_until(scheduler, 60 + offset(50) + 5)
    assert due_times(scheduler.client) == []


@pytest.mark.parametrize("value", ["", "x", "1 2", "nan nan", "1800000060.000 " + "9" * 5_000, "\x00\xff"])
async def test_damaged_pending_due_times_are_ignored(scheduler: Scheduler, second: Scheduler, value: str) -> None:
    """What another program has written into the field makes no scheduler fail and starts no run."""
    await scheduler.load(jittered(50))
    await step_until(scheduler, 65)
    await edit(scheduler, jittered(50, schedule="@yearly"))
    changed_at = scheduler.field(UID, "changed_at")
    for prefix in ("", f"{changed_at} "):
        scheduler.client.hset(keys.schedule(UID), "pending", prefix + value)
        await second.load(jittered(50, schedule="@yearly"))
        await edit(second, jittered(50, schedule="@yearly", args=[len(prefix)]))
        await edit(second, jittered(50, schedule="@yearly"))
    await second.pass_time(120)
    assert due_times(scheduler.client) == []


@pytest.mark.parametrize(
    "value", [b"\xff\xfe", b"", b"\x00", b"x" * 100_000, "ÿ".encode(), b"0123456789ABCDEF", b"1.5"]
)
async def test_damaged_fingerprint_is_replaced_in_one_step(
    scheduler: Scheduler, second: Scheduler, value: bytes
) -> None:
    """Whatever another program writes as the fingerprint, the schedule goes on, and no run that waits is lost."""
    await scheduler.load(jittered(50))
    await step_until(scheduler, 65)
    for each in (scheduler, second):
        scheduler.client.hset(keys.schedule(UID), "fingerprint", value)
        each.engine.apply(Changes([jittered(50)], keep_known_state=True))
        await each.engine.step()
        assert each.engine.all_registered
    assert scheduler.field(UID, "fingerprint") == jittered(50).fingerprint
    await step_until(second, 60 + offset(50) + 0.5)
    assert due_times(scheduler.client) == [T + 60]


async def test_schedule_that_others_keep_editing_holds_no_other_schedule_up(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registration that others overtake each time ends without a result, and a later step repeats it."""
    other = schedule("other", "5d1c1a64-8a63-5a0e-9b0a-000000000001")
    await scheduler.load(schedule(), other)
    script, edits = scheduler.registry._register, itertools.count()

    async def overtaken(**arguments: Any) -> Any:
        reply = await script(**arguments)
        if next(edits) < 20:
            scheduler.client.hset(keys.schedule(UID), "fingerprint", f"edit {next(edits)}")
        return reply

    monkeypatch.setattr(scheduler.registry, "_register", overtaken)
    scheduler.engine.apply(Changes([schedule(retries=1), replace(other, suspended=True)], keep_known_state=True))
    await scheduler.engine.step()
    assert scheduler.engine.states[other.uid].schedule.suspended
    assert not scheduler.engine.all_registered
    await scheduler.step_until_idle()
    assert scheduler.field(UID, "fingerprint") == schedule(retries=1).fingerprint


# every policy and every change -------------------------------------------------------------------------


async def change(scheduler: Scheduler, name: str, spec: dict[str, Any]) -> None:
    """Change a schedule while a run waits, and return to the same spec at the end."""
    match name:
        case "edit":
            await edit(scheduler, schedule(**spec, args=[1]))
        case "suspend":
            await edit(scheduler, schedule(**spec, suspend=True))
            await edit(scheduler, schedule(**spec))
        case "deactivate":
            scheduler.engine.apply(Changes(deactivated={UID: "spec.schedule: wrong"}))
            await scheduler.step_until_idle()
            await edit(scheduler, schedule(**spec))
        case "delete":
            scheduler.engine.apply(Changes(removed=[UID]))
            await scheduler.step_until_idle()
            await edit(scheduler, schedule(**spec))
        case "pause":
            await pause_and_resume(scheduler)


CHANGES = {"edit": [60.0], "suspend": [], "deactivate": [], "delete": [], "pause": []}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", CHANGES)
async def test_change_while_a_run_waits_for_its_jitter(scheduler: Scheduler, policy: str, name: str) -> None:
    """An edit keeps the run under every policy. What stops the schedule drops it, and nothing counts as missed."""
    spec = {"concurrencyPolicy": policy, "jitterSeconds": 50, "catchUp": "All"}
    await scheduler.load(schedule(**spec))
    await step_until(scheduler, 65)
    await change(scheduler, name, spec)
    await step_until(scheduler, 119)
    await scheduler.on_demand.step()
    assert scheduler.due() == CHANGES[name]
    assert {scheduler.field(UID, counter) for counter in ("missed", "skipped_overlap", "skipped_backlog")} == {None}
    for each in messages(scheduler.client):
        scheduler.end_run(each["message_id"])
    await step_until(scheduler, 179)
    assert scheduler.due() == [120]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", CHANGES)
async def test_change_while_the_previous_run_is_active(scheduler: Scheduler, policy: str, name: str) -> None:
    """An edit keeps a buffered run, and what stops the schedule drops it. Under the other policies, none waits."""
    spec = {"concurrencyPolicy": policy}
    await scheduler.load(schedule(**spec))
    for _ in range(2):
        await scheduler.pass_time(60)
    await change(scheduler, name, spec)
    for each in messages(scheduler.client):
        scheduler.end_run(each["message_id"])
    await scheduler.on_demand.step()
    assert scheduler.due() == ([120] if name == "edit" and policy.startswith("Buffer") else [])


# any order ---------------------------------------------------------------------------------------------


class Fleet:
    """Two schedulers that learn of edits at different times, and the due times that must run.

    Args:
        schedulers: The schedulers.
        chance: The source of all decisions.
        url: URL of Redis, for restarts.
    """

    def __init__(self, schedulers: list[Scheduler], chance: random.Random, url: str) -> None:
        self._schedulers = schedulers
        self._chance = chance
        self._url = url
        self._clock, self._client = schedulers[0].clock, schedulers[0].client
        self._number = 0
        self.spec = jittered(0)
        self._edited_at = self._clock.now()
        self._known: list[Schedule | None] = [None, None]
        #: Due times, in Unix seconds.
        self.expected: Counter[float] = Counter()
        self.found: Counter[float] = Counter()

    def edit(self) -> None:
        """Change the spec, which each scheduler learns later."""
        self.expected.update(self.spec.recurrence.due_times(self._edited_at, self._clock.now()))
        self._number += 1
        self.spec = jittered(
            self._chance.choice([0, 0, 5, 60, 300]),
            schedule=self._chance.choice(["@every 20s", "@every 30s", "@every 7s", "* * * * *"]),
            args=[self._number],
        )
        self._edited_at = self._clock.now()

    async def learn(self, number: int) -> None:
        """Report the newest spec to one scheduler."""
        if self._known[number] is not self.spec:
            self._known[number] = self.spec
            await edit(self._schedulers[number], self.spec)
            self._take_messages()

    async def restart(self, number: int) -> None:
        """Replace a scheduler by a new process, which reads the newest spec."""
        await self._schedulers[number].connection.aclose()
        self._schedulers[number] = build(self._url, self._clock, self._client)
        self._known[number] = None
        await self.learn(number)

    async def step(self, seconds: float) -> None:
        """Advance the clock and step both schedulers, in any order."""
        self._clock.advance(seconds)
        for each in self._chance.sample(self._schedulers, 2):
            await each.step_until_idle()
        self._take_messages()

    def _take_messages(self) -> None:
        for message in messages(self._client):
            assert message["args"] == ([self._number] if self._number else [])
            self.found[message["options"]["due_at"] / 1000] += 1
        self._client.delete("dramatiq:q", "dramatiq:q.msgs")

    async def close(self) -> None:
        """Close the connections."""
        for each in self._schedulers:
            await each.connection.aclose()


@pytest.mark.parametrize("seed", range(25))
async def test_any_edits_lose_and_repeat_no_run(redis_url: str, redis_client: "redis.Redis", seed: int) -> None:
    """Whatever is edited, however often, and whichever scheduler registers it or restarts, each due time of each spec
    from its edit to the next one runs once, with the newest spec.
    """
    chance = random.Random(seed)
    clock = ManualClock(T + 0.5)
    first = build(redis_url, clock, redis_client)
    fleet = Fleet([first, build(redis_url, clock, redis_client)], chance, redis_url)
    for number in (0, 1):
        await fleet.learn(number)
    for _ in range(250):
        await fleet.step(chance.uniform(0.1, 4))
        match chance.choice(["nothing", "nothing", "nothing", "edit", "learn", "restart"]):
            case "edit":
                fleet.edit()
                # The first scheduler registers the edit at once. The other one may learn of it much later.
                await fleet.learn(chance.choice([0, 1]))
            case "learn":
                await fleet.learn(chance.choice([0, 1]))
            case "restart":
                await fleet.restart(chance.choice([0, 1]))
    for number in (0, 1):
        await fleet.learn(number)
    fleet.edit()
    end = clock.now()
    for number in (0, 1):
        await fleet.learn(number)
    while clock.now() < end + 400:
        await fleet.step(2)
    await fleet.close()
    assert {due: count for due, count in fleet.found.items() if due <= end} == dict(fleet.expected)
