"""Tests of a schedule's consecutive failures, which the recorder counts and the scheduler reports."""

from dataclasses import replace

import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.reporter import MAX_LABELS, OTHER, Reporter
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.metrics import FailingSchedules
from financehub_shared.core.clock import ManualClock
from financehub_shared.metrics import Metrics
from financehub_shared.monitor import RunState
from financehub_shared.redis import keys
from support.hand_driven import Scheduler, T, build
from support.schedule_runs import FAILED, NOW, SKIPPED, SUCCEEDED, Runs
from support.schedules import UID, schedule


@pytest.fixture
def runs(redis_client: "redis.Redis") -> Runs:
    """Return the runs of a registered schedule."""
    redis_client.hset(keys.schedule(UID), mapping={"name": "default/demo", "fingerprint": "f"})
    return Runs(redis_client)


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(outcomes=st.lists(st.sampled_from([FAILED, SUCCEEDED, SKIPPED, RunState.RETRYING, RunState.QUEUED, "lost"])))
def test_consecutive_failures_after_any_outcomes_count_since_the_last_success(
    runs: Runs, redis_client: "redis.Redis", outcomes: list[RunState]
) -> None:
    """After any outcomes the count is the number of failed and lost runs since the newest success. Skipped and
    unfinished runs do not change it.
    """
    redis_client.delete(keys.SCHEDULES_FAILING)
    expected = 0
    for outcome in outcomes:
        event = runs.new()
        runs.begin(event)
        if outcome == "lost":
            runs.lose()
        else:
            runs.end(event, outcome)
            redis_client.delete(event["running"])  # an unfinished run must not be marked as lost later
        expected = 0 if outcome is SUCCEEDED else expected + (outcome in (FAILED, "lost"))
    assert (runs.consecutive_failures or 0) == expected
    assert runs.consecutive_failures != 0, "a schedule that does not fail must not use memory"


def test_consecutive_failures_with_a_run_recorded_twice_count_it_once(runs: Runs) -> None:
    """A redelivery after the end, a repeated end event, and a second search for lost runs do not increase the count."""
    event = runs.new()
    for _ in range(2):
        runs.begin(event)
        runs.end(event, FAILED)
        runs.lose()
    assert runs.consecutive_failures == 1
    runs.begin(runs.new())
    runs.lose()
    runs.lose()
    assert runs.consecutive_failures == 2


def test_consecutive_failures_with_retries_count_one_run(runs: Runs) -> None:
    """Three attempts of one message that ends as a dead letter are one failure."""
    event = runs.new()
    for number, outcome in enumerate([RunState.RETRYING, RunState.RETRYING, FAILED], 1):
        one = event | {"attempt_id": f"{event['attempt_id']}-{number}", "attempt": number}
        runs.begin(one)
        runs.end(one, outcome)
    assert runs.consecutive_failures == 1


@pytest.mark.parametrize(("outcome", "expected"), [(FAILED, 2), (SUCCEEDED, None), (SKIPPED, 1)])
def test_consecutive_failures_with_a_redelivered_lost_run_count_its_new_outcome(
    runs: Runs, outcome: RunState, expected: int | None
) -> None:
    """A lost run that is redelivered counts once if it fails, and does not count if it succeeds or is skipped."""
    runs.end(runs.new(), FAILED)
    event = runs.new()
    runs.begin(event)
    runs.lose()
    assert runs.consecutive_failures == 2
    runs.begin(event | {"attempt_id": "again"})
    assert runs.consecutive_failures == 1
    runs.end(event | {"attempt_id": "again"}, outcome)
    assert runs.consecutive_failures == expected


def test_consecutive_failures_with_a_late_redelivery_never_become_negative(runs: Runs) -> None:
    """The count never becomes negative if a lost run is redelivered after a success."""
    event = runs.new()
    runs.begin(event)
    runs.lose()
    runs.end(runs.new(), SUCCEEDED)
    runs.begin(event | {"attempt_id": "again"})
    assert runs.consecutive_failures is None
    runs.end(event | {"attempt_id": "again"}, FAILED)
    assert runs.consecutive_failures == 1


@pytest.fixture
def scheduler(redis_url: str, redis_client: "redis.Redis") -> Scheduler:
    """Return a scheduler on the same Redis."""
    return build(redis_url, ManualClock(T + 0.5), redis_client)


@pytest.mark.parametrize("ends", ["fails", "is lost"])
async def test_consecutive_failures_of_a_deleted_schedule_are_removed(
    scheduler: Scheduler, redis_client: "redis.Redis", ends: str
) -> None:
    """Deleting a schedule removes its failure count, and a run that ends later does not add it again."""
    runs = Runs(redis_client)
    await scheduler.load(schedule())
    runs.end(runs.new(), FAILED)
    assert runs.consecutive_failures == 1
    late = runs.new()
    runs.begin(late)
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    assert runs.consecutive_failures is None
    if ends == "fails":
        runs.end(late, FAILED)
    else:
        runs.lose()
    assert runs.consecutive_failures is None
    assert redis_client.hkeys(keys.schedule(UID)) == [b"fingerprint", b"settled"]
    assert not redis_client.sismember(keys.SCHEDULES_CHANGED, UID)
    await scheduler.connection.aclose()


def scraped(source: FailingSchedules) -> dict[str, float]:
    """Return schedule → consecutive failures from a scrape."""
    (family,) = source.read()
    return {sample.labels["scheduledtask"]: sample.value for sample in family.samples}


def test_failing_schedules_beyond_the_limit_report_the_maximum_as_other(redis_client: "redis.Redis") -> None:
    """The first 200 schedules have their own series, 0 while they do not fail. The highest count of the others is
    reported as `other`, and nothing while none of them fails.
    """
    schedules = [schedule(f"s{n}", uid=f"00000000-0000-5000-8000-{n:012d}") for n in range(MAX_LABELS + 20)]
    states = {item.uid: ScheduleState(item, 0.0) for item in schedules}
    reporter = Reporter(Metrics("scheduler"), states)
    for item in schedules:
        reporter.next_run_published(item.name, NOW)
    source = FailingSchedules(states, reporter, redis_client)
    assert scraped(source) == dict.fromkeys((item.name for item in schedules[:MAX_LABELS]), 0.0)
    counts = {schedules[3]: 9, schedules[MAX_LABELS]: 2, schedules[MAX_LABELS + 1]: 7, schedules[MAX_LABELS + 2]: 3}
    redis_client.hset(keys.SCHEDULES_FAILING, mapping={item.uid: count for item, count in counts.items()})
    redis_client.hset(keys.SCHEDULES_FAILING, "of another scheduler", 99)
    failing = {name: count for name, count in scraped(source).items() if count}
    assert failing == {schedules[3].name: 9, OTHER: 7}
    redis_client.hdel(keys.SCHEDULES_FAILING, schedules[MAX_LABELS + 1].uid)
    assert scraped(source)[OTHER] == 3
    # When a slot becomes free, the next reported schedule of the others takes it.
    reporter.schedule_removed(schedules[3])
    del states[schedules[3].uid]
    reporter.next_run_published(schedules[MAX_LABELS].name, NOW)
    now = scraped(source)
    assert (now[schedules[MAX_LABELS].name], now[OTHER]) == (2, 3)
    assert schedules[3].name not in now


def series_of(scheduler: Scheduler, name: str) -> set[str]:
    """Return the families that have a series for this schedule, including those that are computed on scrape."""
    source = FailingSchedules(scheduler.engine.states, scheduler.reporter, scheduler.client)
    families = [*scheduler.metrics.registry.collect(), *source.read()]
    return {
        family.name
        for family in families
        if any(sample.labels.get("scheduledtask") == name for sample in family.samples)
    }


async def test_series_of_a_renamed_schedule_have_only_the_new_name(scheduler: Scheduler) -> None:
    """In a folder, a new name means a new schedule. All old series are removed, and the new schedule has its own."""
    await scheduler.load(schedule())
    await scheduler.pass_time(61)
    await scheduler.publisher.step()
    runs = Runs(scheduler.client)
    runs.end(runs.new(), FAILED)
    old = series_of(scheduler, "default/demo")
    assert len(old) == 4  # lag, missed, next run, consecutive failures
    renamed = replace(schedule("renamed"), uid="00000000-0000-5000-8000-000000000001")
    scheduler.engine.apply(Changes([renamed], removed=[UID]))
    await scheduler.step_until_idle()
    await scheduler.pass_time(61)
    await scheduler.publisher.step()
    assert series_of(scheduler, "default/demo") == set()
    assert series_of(scheduler, "default/renamed") == old
    await scheduler.connection.aclose()


async def test_series_with_an_outcome_after_the_deletion_are_not_created(scheduler: Scheduler) -> None:
    """A schedule that is deleted while its batch is in progress does not leave a series. Its last run counts as
    `other`.
    """
    await scheduler.load(schedule())
    scheduler.clock.advance(60)
    await _enqueue_then_delete(scheduler.engine)
    await scheduler.step_until_idle()
    await scheduler.publisher.step()
    assert series_of(scheduler, "default/demo") == set()
    lag = scheduler.metrics.registry.get_sample_value
    assert lag("financehub_schedule_lag_seconds_count", {"scheduledtask": OTHER}) == 1
    await scheduler.connection.aclose()


async def _enqueue_then_delete(engine: Engine) -> None:
    await engine._firing.fire()  # The outcomes are processed in the next step.
    engine.apply(Changes(removed=[UID]))
