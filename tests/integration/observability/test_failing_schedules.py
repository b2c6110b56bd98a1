"""How many of a schedule's newest runs failed in a row: counted where runs are recorded, shown by the scheduler."""

import time
from dataclasses import replace

import pytest
import redis
from dramatiq import Message, MessageProxy
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.reporter import MAX_LABELS, OTHER, Reporter
from financehub_scheduler.core.state import Changes, ScheduleState
from financehub_scheduler.metrics import FailingSchedules
from financehub_shared.broker import options
from financehub_shared.broker.message import delivery_of
from financehub_shared.core.clock import ManualClock
from financehub_shared.metrics import Metrics
from financehub_shared.monitor import RunState, TaskMonitor
from financehub_shared.monitor.attempt import Flight
from financehub_shared.monitor.events import Event, finished, started
from financehub_shared.monitor.writer import RecordWriter
from financehub_shared.redis import keys
from support.hand_driven import Scheduler, T, build
from support.schedules import UID, schedule

NOW = 1_800_000_000.0
FAILED, SUCCEEDED, SKIPPED = RunState.DEAD_LETTERED, RunState.SUCCEEDED, RunState.SKIPPED


class Runs:
    """Runs of one schedule, told to Redis as a worker tells them.

    Args:
        client: a Redis that holds the schedule's record.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._writer = RecordWriter(client, time.monotonic, 3_600)

    def new(self, started_at: float = NOW) -> Event:
        """A run that is about to begin on a worker that never beats."""
        scheduled = {options.SCHEDULE: "default/demo", options.SCHEDULE_UID: UID}
        message: Message[object] = Message("q", "demo_task", (), {}, scheduled)
        return started(Flight(MessageProxy(message), delivery_of(message), started_at, 0.0, 300.0), "w-dead")

    def begin(self, event: Event) -> None:
        """Tell that a try began."""
        self._writer.begin(event)
        self._writer.flush()

    def end(self, event: Event, outcome: RunState) -> None:
        """Tell how a try ended."""
        error = "ValueError: no" if outcome in {FAILED, RunState.RETRYING} else ""
        self._writer.end(finished(event, outcome, NOW + 1, 0.5, error=error))

    def lose(self) -> None:
        """Let the janitor find every run lost that is under way."""
        TaskMonitor(self._client).reap_lost(NOW + 3_600)

    @property
    def in_a_row(self) -> int | None:
        """How many failed in a row; None: the schedule is not among the failing."""
        count = self._client.hget(keys.SCHEDULES_FAILING, UID)
        return None if count is None else int(count)


@pytest.fixture
def runs(redis_client: "redis.Redis") -> Runs:
    """Runs of a schedule that is registered."""
    redis_client.hset(keys.schedule(UID), mapping={"name": "default/demo", "fingerprint": "f"})
    return Runs(redis_client)


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(outcomes=st.lists(st.sampled_from([FAILED, SUCCEEDED, SKIPPED, RunState.RETRYING, RunState.QUEUED, "lost"])))
def test_failures_count_up_and_a_success_clears(
    runs: Runs, redis_client: "redis.Redis", outcomes: list[RunState]
) -> None:
    """After any outcomes the count is that of failed and lost runs since the newest success; what is skipped or not
    over changes nothing.
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
            redis_client.delete(event["running"])  # what is not over is not to be found lost later
        expected = 0 if outcome is SUCCEEDED else expected + (outcome in (FAILED, "lost"))
    assert (runs.in_a_row or 0) == expected
    assert runs.in_a_row != 0, "a schedule that does not fail takes no memory"


def test_a_run_that_is_told_twice_counts_once(runs: Runs) -> None:
    """A redelivery after the end, the same end sent again, and a second look for lost runs add nothing."""
    event = runs.new()
    for _ in range(2):
        runs.begin(event)
        runs.end(event, FAILED)
        runs.lose()
    assert runs.in_a_row == 1
    runs.begin(runs.new())
    runs.lose()
    runs.lose()
    assert runs.in_a_row == 2


def test_tries_that_will_be_retried_count_as_one_run(runs: Runs) -> None:
    """Three tries of one message that ends as a dead letter are one failure."""
    event = runs.new()
    for number, outcome in enumerate([RunState.RETRYING, RunState.RETRYING, FAILED], 1):
        one = event | {"delivery": f"{event['delivery']}-{number}", "try": number}
        runs.begin(one)
        runs.end(one, outcome)
    assert runs.in_a_row == 1


@pytest.mark.parametrize(("outcome", "expected"), [(FAILED, 2), (SUCCEEDED, None), (SKIPPED, 1)])
def test_a_lost_run_that_comes_back_counts_as_what_it_becomes(
    runs: Runs, outcome: RunState, expected: int | None
) -> None:
    """A run that was declared lost and redelivered counts once if it fails after all, and not if it does not."""
    runs.end(runs.new(), FAILED)
    event = runs.new()
    runs.begin(event)
    runs.lose()
    assert runs.in_a_row == 2
    runs.begin(event | {"delivery": "again"})
    assert runs.in_a_row == 1
    runs.end(event | {"delivery": "again"}, outcome)
    assert runs.in_a_row == expected


def test_a_lost_run_that_comes_back_after_a_success_takes_nothing_away(runs: Runs) -> None:
    """The count never goes below nothing."""
    event = runs.new()
    runs.begin(event)
    runs.lose()
    runs.end(runs.new(), SUCCEEDED)
    runs.begin(event | {"delivery": "again"})
    assert runs.in_a_row is None
    runs.end(event | {"delivery": "again"}, FAILED)
    assert runs.in_a_row == 1


@pytest.fixture
def scheduler(redis_url: str, redis_client: "redis.Redis") -> Scheduler:
    """A scheduler on the same Redis."""
    return build(redis_url, ManualClock(T + 0.5), redis_client)


@pytest.mark.parametrize("ends", ["fails", "is lost"])
async def test_a_deleted_schedule_is_not_among_the_failing(
    scheduler: Scheduler, redis_client: "redis.Redis", ends: str
) -> None:
    """Deleting a schedule forgets its failures, and a run that ends after that does not bring it back."""
    runs = Runs(redis_client)
    await scheduler.load(schedule())
    runs.end(runs.new(), FAILED)
    assert runs.in_a_row == 1
    late = runs.new()
    runs.begin(late)
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.settle()
    assert runs.in_a_row is None
    if ends == "fails":
        runs.end(late, FAILED)
    else:
        runs.lose()
    assert runs.in_a_row is None
    assert redis_client.hgetall(keys.schedule(UID)) == {b"fingerprint": b"deleted"}
    assert not redis_client.sismember(keys.SCHEDULES_TOUCHED, UID)
    await scheduler.connection.aclose()


def shown(source: FailingSchedules) -> dict[str, float]:
    """Schedule → its failures in a row, as scraped."""
    (family,) = source.read()
    return {sample.labels["scheduledtask"]: sample.value for sample in family.samples}


def test_the_worst_of_those_without_a_series_of_their_own_is_shown_as_other(redis_client: "redis.Redis") -> None:
    """The first 200 have a series each, 0 while they do not fail; of the rest the highest count is shown, and none
    while none of them fails.
    """
    observer = Reporter(Metrics("scheduler"))
    many = [schedule(f"s{n}", uid=f"00000000-0000-5000-8000-{n:012d}") for n in range(MAX_LABELS + 20)]
    live = {one.uid: ScheduleState(one, 0.0) for one in many}
    for one in many:
        observer.next_run(one.name, NOW)
    source = FailingSchedules(live, observer, redis_client)
    assert shown(source) == dict.fromkeys((one.name for one in many[:MAX_LABELS]), 0.0)
    counts = {many[3]: 9, many[MAX_LABELS]: 2, many[MAX_LABELS + 1]: 7, many[MAX_LABELS + 2]: 3}
    redis_client.hset(keys.SCHEDULES_FAILING, mapping={one.uid: count for one, count in counts.items()})
    redis_client.hset(keys.SCHEDULES_FAILING, "of another scheduler", 99)
    failing = {name: count for name, count in shown(source).items() if count}
    assert failing == {many[3].name: 9, OTHER: 7}
    redis_client.hdel(keys.SCHEDULES_FAILING, many[MAX_LABELS + 1].uid)
    assert shown(source)[OTHER] == 3
    # a place that becomes free is taken by one of the rest when it is next heard of
    observer.forgotten(many[3].name)
    del live[many[3].uid]
    observer.next_run(many[MAX_LABELS].name, NOW)
    now = shown(source)
    assert (now[many[MAX_LABELS].name], now[OTHER]) == (2, 3)
    assert many[3].name not in now


def series_of(scheduler: Scheduler, name: str) -> set[str]:
    """Families with a series of this schedule, those that are read at a scrape too."""
    source = FailingSchedules(scheduler.engine.states, scheduler.observer, scheduler.client)
    families = [*scheduler.metrics.registry.collect(), *source.read()]
    return {one.name for one in families if any(each.labels.get("scheduledtask") == name for each in one.samples)}


async def test_a_renamed_schedule_leaves_no_series_of_its_old_name(scheduler: Scheduler) -> None:
    """In a folder a new name is another schedule: all series of the old one go, and the new one has its own."""
    await scheduler.load(schedule())
    await scheduler.pass_time(61)
    await scheduler.outlook.step()
    runs = Runs(scheduler.client)
    runs.end(runs.new(), FAILED)
    old = series_of(scheduler, "default/demo")
    assert len(old) == 4  # lag, missed, next run, failures in a row
    renamed = replace(schedule("renamed"), uid="00000000-0000-5000-8000-000000000001")
    scheduler.engine.apply(Changes([renamed], removed=[UID]))
    await scheduler.settle()
    await scheduler.pass_time(61)
    await scheduler.outlook.step()
    assert series_of(scheduler, "default/demo") == set()
    assert series_of(scheduler, "default/renamed") == old
    await scheduler.connection.aclose()


async def test_a_verdict_after_the_deletion_makes_no_series(scheduler: Scheduler) -> None:
    """A schedule that is deleted while its batch is under way leaves nothing: its last run counts as `other`."""
    await scheduler.load(schedule())
    scheduler.clock.advance(60)
    await _enqueue_then_delete(scheduler.engine)
    await scheduler.settle()
    await scheduler.outlook.step()
    assert series_of(scheduler, "default/demo") == set()
    lag = scheduler.metrics.registry.get_sample_value
    assert lag("financehub_schedule_lag_seconds_count", {"scheduledtask": OTHER}) == 1
    await scheduler.connection.aclose()


async def _enqueue_then_delete(engine: Engine) -> None:
    await engine._fire()  # its verdicts wait for the next step
    engine.apply(Changes(removed=[UID]))
