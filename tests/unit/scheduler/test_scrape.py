"""What the scheduler tells of its schedules where there are too many to read from Redis."""

from datetime import UTC, datetime

import pytest

from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.metrics import known_schedules
from financehub_scheduler.redis.enqueuer import ScheduledRun, encode
from financehub_shared.core.catalog import CATALOG
from financehub_shared.health.freshness import stale_after
from support.schedules import schedule

#: The last due time of Friday, 27 February 2026, in New York, and Sunday noon.
CLOSE = datetime(2026, 2, 27, 20, 55, tzinfo=UTC).timestamp()
SUNDAY = datetime(2026, 3, 1, 17, 0, tzinfo=UTC).timestamp()


def live(
    name: str, task: str = "fetch_stock_prices_task", queue: str = "high", *, suspended: bool = False
) -> ScheduleState:
    """A schedule of New York's trading hours, as the engine keeps it on a Sunday."""
    hours = {"schedule": "*/5 * * * *", "calendar": "XNYS", "timeZone": "America/New_York"}
    made = schedule(name, task=task, queue=queue, suspend=suspended, **hours)
    due = None if suspended else made.timing.next_after(CLOSE)
    return ScheduleState(made, CLOSE, None if due is None else encode(ScheduledRun(made, "due", due), due))


def test_a_closed_market_makes_nothing_stale_however_many_schedules_there_are() -> None:
    """On a Sunday stock quotes may be as old as the last due time, also where the scheduler alone knows it."""
    schedules = known_schedules({f"u{number}": live(f"s{number}") for number in range(3)})
    limit = stale_after(CATALOG["fetch_stock_prices_task"], schedules, SUNDAY)
    assert limit >= SUNDAY - CLOSE


@pytest.mark.parametrize("suspended", [False, True])
def test_a_schedule_of_a_fetching_task_is_told_with_its_times(*, suspended: bool) -> None:
    """Its pause, its next times, and that a run was due; of other tasks the pair of task and queue is enough."""
    told = known_schedules({"a": live("a", suspended=suspended), "b": live("b", "cleanup_old_cache_task", "low")})
    (own,) = [one for one in told if one.last_due_at]
    assert (own.task, own.suspended, own.last_due_at) == ("fetch_stock_prices_task", suspended, CLOSE)
    assert len(own.next_times) == (0 if suspended else 2)
    assert {(one.task, one.queue) for one in told} >= {("cleanup_old_cache_task", "low")}
