"""How old data may be."""

from dataclasses import dataclass

import pytest

from financehub_shared.core.catalog import CATALOG
from financehub_shared.health.periods import DATASETS, dataset_limits, overdue_if_absent, period_seconds, stale_after


@pytest.mark.parametrize(
    ("schedule", "seconds"), [("@every 2m", 120), ("@every 90s", 90), ("@every 6h", 21_600), ("@hourly", 3_600)]
)
def test_periods_are_read(schedule: str, seconds: int) -> None:
    """A catalogue schedule has a period in seconds."""
    assert period_seconds(schedule) == seconds


@pytest.mark.parametrize("schedule", ["", "@every", "@every m", "@every 2", "* * * * *", "@every 2x"])
def test_other_forms_are_refused(schedule: str) -> None:
    """What is no catalogue schedule raises, and the message says what is allowed."""
    with pytest.raises(ValueError, match="@every"):
        period_seconds(schedule)


NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Schedule:
    """A registered schedule of the stock fetch (catalogue: every 5 min, time limit 180 s)."""

    next_times: tuple[float, ...]
    last_due_at: float | None = NOW - 60
    task: str = "fetch_stock_prices_task"
    suspended: bool = False
    queue: str = "high"
    runs: int = 1


FROM_CATALOGUE = 2 * 300 + 180


@pytest.mark.parametrize(
    ("schedules", "limit"),
    [
        ([], FROM_CATALOGUE),
        ([Schedule((NOW + 1_740, NOW + 3_540))], 2 * 1_800 + 180),  # every half an hour
        ([Schedule((NOW + 30, NOW + 90, NOW + 150))], 2 * 60 + 180),  # every minute
        ([Schedule((NOW + 30, NOW + 90)), Schedule((NOW + 30, NOW + 630))], 2 * 600 + 180),  # the slower of two
        ([Schedule((NOW + 9_000, NOW + 9_300), last_due_at=NOW - 170_000)], 170_000),  # a weekend
        ([Schedule((NOW - 600, NOW - 300), last_due_at=NOW - 170_000)], FROM_CATALOGUE),  # nobody keeps it
        ([Schedule((NOW + 30, NOW + 90), suspended=True)], FROM_CATALOGUE),
        ([Schedule((NOW + 30, NOW + 90), task="fetch_news_task")], FROM_CATALOGUE),
        ([Schedule((NOW + 30,))], FROM_CATALOGUE),  # its last run: no period to go by
        ([Schedule((NOW + 30, NOW + 90), last_due_at=None)], 2 * 60 + 180),
    ],
)
def test_the_registered_schedule_decides_how_old_data_may_be(schedules: list[Schedule], limit: float) -> None:
    """Two periods of the schedule and the task's limit, never less than the time since a run was last due."""
    assert stale_after(CATALOG["fetch_stock_prices_task"], schedules, NOW) == limit


def test_every_dataset_has_a_task_and_a_limit_above_its_period() -> None:
    """A dataset becomes stale later than its task's next run can have ended."""
    for dataset, limit in dataset_limits().items():
        task = CATALOG[DATASETS[dataset]]
        assert limit > period_seconds(task.schedule) + task.time_limit_seconds


@pytest.mark.parametrize(
    ("schedules", "overdue"),
    [
        ([], True),  # nobody knows when it is due
        ([Schedule((NOW + 30, NOW + 330), task="fetch_news_task")], True),
        ([Schedule((NOW + 30, NOW + 330), last_due_at=None, runs=0)], False),  # its first run is still to come
        ([Schedule((NOW + 30, NOW + 330), last_due_at=NOW - 179)], False),  # it may still be under way
        ([Schedule((NOW + 30, NOW + 330), last_due_at=NOW - 181)], True),
        ([Schedule((NOW + 30, NOW + 330), last_due_at=NOW - 5, runs=2)], True),  # the first did not deliver
        ([Schedule((NOW + 99_000,), last_due_at=None, runs=0), Schedule((NOW + 5,), runs=3)], True),
        ([Schedule((), suspended=True)], True),  # it is left out elsewhere: nobody misses what is paused
    ],
)
def test_a_dataset_that_was_never_fetched_is_overdue_once_a_run_had_its_time(
    schedules: list[Schedule], *, overdue: bool
) -> None:
    """Before its first run is over nobody misses a dataset; a second due time proves that the first did not deliver."""
    assert ("quotes:stock" in overdue_if_absent(schedules, NOW)) is overdue
