"""The schedules that a scheduler reports from memory, for fleets with too many to read from Redis."""

from datetime import UTC, datetime

import pytest

from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.metrics import known_schedules, state_metrics
from financehub_scheduler.redis.enqueuer import RunSubmission, encode
from financehub_shared.core.catalog import CATALOG
from financehub_shared.health.freshness import stale_after
from financehub_shared.schedules import Pause
from support.schedules import schedule

#: The last due time of Friday, February 27, 2026, in New York.
CLOSE = datetime(2026, 2, 27, 20, 55, tzinfo=UTC).timestamp()
#: Noon of the following Sunday.
SUNDAY = datetime(2026, 3, 1, 17, 0, tzinfo=UTC).timestamp()


def state(
    name: str, task: str = "fetch_stock_prices_task", queue: str = "high", *, suspended: bool = False
) -> ScheduleState:
    """Return the state of a schedule during New York's trading hours, as the engine keeps it on a Sunday."""
    hours = {"schedule": "*/5 * * * *", "calendar": "XNYS", "timeZone": "America/New_York"}
    compiled = schedule(name, task=task, queue=queue, suspend=suspended, **hours)
    due = None if suspended else compiled.recurrence.next_after(CLOSE)
    next_run = None if due is None else encode(RunSubmission(compiled, "due", due), due)
    return ScheduleState(compiled, CLOSE, next_run)


def test_known_schedules_on_a_weekend_keep_stock_quotes_fresh() -> None:
    """On a Sunday stock quotes may be as old as the last due time, even if only the scheduler knows that time."""
    schedules = known_schedules({f"u{number}": state(f"s{number}") for number in range(3)})
    limit = stale_after(CATALOG["fetch_stock_prices_task"], schedules, SUNDAY)
    assert limit >= SUNDAY - CLOSE


@pytest.mark.parametrize("suspended", [False, True])
def test_known_schedules_of_fetching_tasks_have_times(*, suspended: bool) -> None:
    """Schedules that fetch data are reported with their due times. The others are reported as pairs of task and queue,
    and only suspended schedules count as suspended.
    """
    known = known_schedules({"a": state("a", suspended=suspended), "b": state("b", "cleanup_old_cache_task", "low")})
    (fetching,) = [each for each in known if each.last_due_at]
    assert (fetching.task, fetching.suspended, fetching.last_due_at) == ("fetch_stock_prices_task", suspended, CLOSE)
    assert len(fetching.next_times) == (0 if suspended else 2)
    assert {each.suspended for each in known if not each.times_known} == {False}
    assert {(each.task, each.queue) for each in known} >= {("cleanup_old_cache_task", "low")}


def test_paused_schedule_counts_as_paused_and_refreshes_nothing() -> None:
    """A paused schedule has its own state in the metrics, and health does not wait for its data."""
    paused = state("a")
    paused.paused, paused.next_run = Pause("alice", "maintenance", CLOSE), None
    states = {"a": paused, "b": state("b", suspended=True), "c": state("c")}
    (family,) = state_metrics(states)
    counts = {sample.labels["state"]: sample.value for sample in family.samples}
    assert counts == {"active": 1, "suspended": 1, "paused": 1, "stopped": 0}
    known = [each for each in known_schedules(states) if each.times_known]
    assert [each.is_paused for each in known] == [True, False, False]


def test_known_schedules_include_what_a_fetching_schedule_follows() -> None:
    """The pace of a follower is known in a large fleet too, although its predecessor may run another task."""
    follower = ScheduleState(schedule("quotes", task="fetch_stock_prices_task", after="chain", queue="high"), CLOSE)
    chain = ScheduleState(schedule("chain", task="cleanup_old_cache_task", after="hours", queue="low"), CLOSE)
    states = {"a": follower, "b": chain, "c": state("hours", "cleanup_old_cache_task", "low")}
    states |= {f"u{number}": state(f"s{number}", "cleanup_old_cache_task", "low") for number in range(3)}
    known = known_schedules(states)
    assert [each.name for each in known if each.times_known] == ["default/quotes", "default/chain", "default/hours"]
    assert stale_after(CATALOG["fetch_stock_prices_task"], known, SUNDAY) >= SUNDAY - CLOSE
