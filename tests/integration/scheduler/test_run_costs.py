"""Tests of what a run costs Redis in commands, and that runs of one batch share only what is equal among them."""

import asyncio
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.state import in_slices
from financehub_scheduler.redis.enqueuer import RunSubmission, encode
from financehub_shared.redis import keys
from support.hand_driven import Scheduler, T
from support.schedules import schedule

MINUTE = 60.0


def named(name: str, **spec: Any) -> Schedule:
    """Return a schedule with a uid that its name gives."""
    return schedule(name, str(uuid5(NAMESPACE_URL, name)), **spec)


@pytest.mark.parametrize(("policy", "per_run"), [("Allow", 4), ("Forbid", 4)])
async def test_submit_of_many_due_runs_needs_few_commands_per_run(
    scheduler: Scheduler, policy: str, per_run: int
) -> None:
    """A due run costs a small number of commands, and everything else is done once per batch."""
    schedules = [named(f"s{number}", concurrencyPolicy=policy) for number in range(100)]
    await scheduler.load(*schedules)
    for minutes in (1, 2):  # the first batch has no earlier run
        scheduler.client.delete("dramatiq:q", "dramatiq:q.msgs")
        runs = [encode(RunSubmission(each, "due", T + minutes * MINUTE), T) for each in schedules]
        scheduler.client.config_resetstat()
        results = await scheduler.enqueuer.submit(runs, T + minutes * MINUTE)
        assert {result.outcome for result in results} == {"enqueued"}
        assert _commands(scheduler) <= per_run * len(runs) + 20


async def test_record_enqueued_runs_needs_few_commands_per_run(scheduler: Scheduler) -> None:
    """A record costs seven commands, also if the list of a schedule's newest runs is full."""
    schedules = [named(f"s{number}") for number in range(50)]
    await scheduler.load(*schedules)
    for minute in range(12):
        runs = [(RunSubmission(each, "due", T + minute * MINUTE), T) for each in schedules]
        scheduler.client.config_resetstat()
        await scheduler.enqueuer.record_enqueued_runs(runs)
        assert _commands(scheduler) <= 7 * len(runs) + 5
    assert scheduler.client.llen(keys.schedule_recent(schedules[0].uid)) == 10


async def test_record_enqueued_runs_with_a_run_twice_lists_it_once(scheduler: Scheduler) -> None:
    """A batch that contains a run twice adds it to the newest runs once."""
    demo = named("demo")
    await scheduler.load(demo)
    run = RunSubmission(demo, "due", T + MINUTE)
    await scheduler.enqueuer.record_enqueued_runs([(run, T), (run, T)])
    assert scheduler.client.lrange(keys.schedule_recent(demo.uid), 0, -1) == [run.message_id.encode()]


async def test_submit_of_different_runs_in_one_batch_uses_the_fields_of_each(scheduler: Scheduler) -> None:
    """Runs share what is equal among them, and each one has its own policy, queue, limit, fence and refusal."""
    found = {
        "allow": named("allow", concurrencyPolicy="Allow"),
        "forbid": named("forbid"),
        "deep": named("deep", maxQueueDepth=0, queue="q2"),
        "limited": named("limited", maxRuns=1),
        "trigger": named("trigger"),
        "refused": named("refused"),
    }
    await scheduler.load(*found.values())
    scheduler.client.hset("dramatiq:q2.msgs", "other", "message")
    scheduler.client.hset(keys.SCHEDULE_TRIGGERS, mapping={"a": "{}", "b": "{}"})
    due = [
        RunSubmission(found[name], "due", T + minute * MINUTE)
        for name in ("allow", "forbid", "deep", "limited")
        for minute in (1, 2)
    ]
    outcomes = await scheduler.outcomes(
        *due,
        RunSubmission(found["trigger"], "request", T, fence="a"),
        RunSubmission(found["refused"], "request", T, fence="b", refused="unknown asset"),
    )
    assert outcomes == [
        *("enqueued", "enqueued"),
        *("enqueued", "overlap"),
        *("backlog", "backlog"),
        *("enqueued", "exhausted"),
        *("enqueued", "refused"),
    ]


async def test_states_in_slices_are_all_visited_and_others_run_in_between(scheduler: Scheduler) -> None:
    """Each state is visited once, and another task gets a turn after each part, however many states there are."""
    await scheduler.load(*(named(f"s{number}") for number in range(3)))
    one = next(iter(scheduler.engine.states.values()))
    states = {str(number): one for number in range(10_001)}
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    sizes = [len(part) async for part in in_slices(states)]
    task.cancel()
    assert sum(sizes) == len(states)
    assert max(sizes) <= 2_000
    assert turns >= len(sizes)


def _commands(scheduler: Scheduler) -> int:
    """Return the number of commands that scripts have executed since the statistics were reset."""
    stats: Any = scheduler.client.info("commandstats")
    ours = ("cmdstat_config", "cmdstat_info", "cmdstat_evalsha", "cmdstat_script")
    return sum(found["calls"] for name, found in stats.items() if not name.startswith(ours))
