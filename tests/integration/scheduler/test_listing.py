"""Tests of the schedule listings that the command line and health read."""

import pytest

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_shared.redis import keys
from financehub_shared.schedules import find_schedules, list_schedules, refused_schedules, show_schedule
from support.hand_driven import Scheduler, T
from support.schedules import UID, schedule

OTHER = "5d1c1a64-8a63-5a0e-9b0a-000000000002"


async def test_list_schedules_shows_all_facts_of_a_schedule(scheduler: Scheduler) -> None:
    """A listing shows the task, the recurrence, the next runs, the counters and the last run."""
    await scheduler.load(schedule(jitterSeconds=50, catchUp="All", concurrencyPolicy="Allow"))
    offset = scheduler.engine.states[UID].schedule.recurrence.offset
    await scheduler.pass_time(120 + offset)
    await scheduler.publisher.step()
    (found,) = list_schedules(scheduler.client)
    assert found == show_schedule(scheduler.client, "demo")
    assert (found.uid, found.name, found.task, found.queue) == (UID, "default/demo", "demo_task", "q")
    assert found.spec["jitterSeconds"] == 50
    assert (found.suspended, found.problem, found.claimed_at) == (False, "", T + 0.5)
    assert found.next_times == pytest.approx([T + due + offset for due in (180, 240, 300)])
    assert (found.runs, found.triggered, found.backfilled, found.missed) == (2, 0, 0, 0)
    assert (found.last_due_at, len(found.recent)) == (T + 120, 2)


async def test_list_schedules_shows_problems_misses_and_skips(scheduler: Scheduler) -> None:
    """A listing shows why a schedule does not run, and counts missed and skipped due times by reason."""
    await scheduler.load(schedule(), schedule("z-other", uid=OTHER, maxRuns=1, suspend=True, queue="q2"))
    scheduler.clock.advance(330)
    await scheduler.step_until_idle()
    await scheduler.pass_time(60)
    demo = scheduler.engine.states[OTHER].schedule
    assert await scheduler.outcomes(RunSubmission(demo, "due", T + 60), RunSubmission(demo, "due", T + 120)) == [
        "enqueued",
        "exhausted",
    ]
    await scheduler.publisher.step()
    first, other = list_schedules(scheduler.client)
    assert (first.missed, dict(first.skipped)) == (4, {"overlap": 1})
    assert (other.suspended, other.next_times) == (True, ())


async def test_list_schedules_after_deletion_is_empty(scheduler: Scheduler) -> None:
    """A deleted schedule is in no listing, and only a tombstone that expires remains."""
    await scheduler.load(schedule())
    await scheduler.pass_time(60)
    await scheduler.publisher.step()
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    assert list_schedules(scheduler.client) == []
    left = [key.decode() for key in scheduler.client.keys("financehub:schedule*")]
    assert left == [keys.schedule(UID)]
    assert 0 < scheduler.client.ttl(keys.schedule(UID)) <= 3_600


async def test_refused_schedules_shows_place_and_problem(scheduler: Scheduler) -> None:
    """Refused documents are listed with their location and problem until they are corrected."""
    scheduler.publisher.refused = {"a.yaml:7": "31 February never comes"}
    await scheduler.publisher.step()
    assert refused_schedules(scheduler.client) == {"a.yaml:7": "31 February never comes"}
    scheduler.publisher.refused = {}
    await scheduler.publisher.step()
    assert refused_schedules(scheduler.client) == {}


async def test_list_schedules_with_many_schedules_is_complete_and_sorted(scheduler: Scheduler) -> None:
    """A listing has every schedule once, sorted by name, regardless of their number."""
    await scheduler.load(*(schedule(f"s{n:04d}", uid=f"00000000-0000-5000-8000-{n:012d}") for n in range(1_200)))
    names = [each.name for each in list_schedules(scheduler.client)]
    assert names == [f"default/s{n:04d}" for n in range(1_200)]


async def test_deletion_after_recreation_keeps_the_name_of_the_newer_schedule(scheduler: Scheduler) -> None:
    """If a schedule is created again before its deletion is noticed, its name refers to the newer schedule."""
    await scheduler.load(schedule(uid=OTHER))
    await scheduler.load(schedule(uid=UID))
    scheduler.engine.apply(Changes(removed=[OTHER]))
    await scheduler.step_until_idle()
    assert show_schedule(scheduler.client, "demo").uid == UID
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    assert not scheduler.client.hexists(keys.SCHEDULE_NAMES, "default/demo")


async def test_full_name_finds_its_schedule_whatever_other_names_are_stored(scheduler: Scheduler) -> None:
    """A full name is never ambiguous, and the name alone is as long as it is unique."""
    await scheduler.load(schedule())
    scheduler.client.hset(keys.SCHEDULE_NAMES, "another/default/demo", OTHER)
    assert find_schedules(scheduler.client, ["default/demo", "demo"]) == [(UID, "default/demo")] * 2
    assert show_schedule(scheduler.client, "default/demo").uid == UID


@pytest.mark.parametrize(("policy", "waiting"), [("BufferAll", 3), ("BufferOne", 1), ("Forbid", 0)])
async def test_listing_counts_waiting_runs_and_failures_in_a_row(
    scheduler: Scheduler, policy: str, waiting: int
) -> None:
    """Both listings show how many runs wait and how many failed in a row, each for its schedule."""
    await scheduler.load(schedule(concurrencyPolicy=policy), schedule("other", uid=OTHER, schedule="@yearly"))
    for _ in range(4):
        await scheduler.pass_time(60)
    scheduler.client.hset(keys.SCHEDULES_FAILING, mapping={UID: 4, OTHER: "x"})
    found, other = list_schedules(scheduler.client)
    assert (found.buffered, found.failures_in_row) == (waiting, 4)
    assert (other.buffered, other.failures_in_row) == (0, 0)
    assert found == show_schedule(scheduler.client, "demo")
