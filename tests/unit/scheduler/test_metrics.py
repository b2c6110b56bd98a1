"""The schedules that a scheduler reports from memory, for fleets with too many to read from Redis."""

from datetime import UTC, datetime

import pytest

from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.metrics import known_schedules
from financehub_scheduler.redis.enqueuer import RunSubmission, encode
from financehub_shared.core.catalog import CATALOG
from financehub_shared.health.freshness import stale_after
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
