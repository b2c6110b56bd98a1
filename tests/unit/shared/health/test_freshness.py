"""The datasets' freshness limits."""

from dataclasses import dataclass

import pytest

from financehub_shared.core.catalog import CATALOG, TaskSpec, Tier
from financehub_shared.core.kinds import AssetType
from financehub_shared.health import freshness
from financehub_shared.health.freshness import (
    DATASETS,
    dataset_limits,
    expected_datasets,
    overdue_if_absent,
    stale_after,
)

NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Schedule:
    """A registered schedule of the stock price task (in the catalog: every 5 min, time limit 180 s)."""

    next_times: tuple[float, ...]
    last_due_at: float | None = NOW - 60
    task: str = "fetch_stock_prices_task"
    suspended: bool = False
    times_known: bool = True
    is_paused: bool = False
    queue: str = "high"
    runs: int = 1
    name: str = "default/demo"
    after: str = ""


FROM_CATALOG = 2 * 300 + 180


@pytest.mark.parametrize(
    ("schedules", "limit"),
    [
        ([], FROM_CATALOG),
        ([Schedule((NOW + 1_740, NOW + 3_540))], 2 * 1_800 + 180),  # every half hour
        ([Schedule((NOW + 30, NOW + 90, NOW + 150))], 2 * 60 + 180),  # every minute
        ([Schedule((NOW + 30, NOW + 90)), Schedule((NOW + 30, NOW + 630))], 2 * 600 + 180),  # the slower of two
        ([Schedule((NOW + 9_000, NOW + 9_300), last_due_at=NOW - 170_000)], 170_000),  # a weekend
        ([Schedule((NOW - 600, NOW - 300), last_due_at=NOW - 170_000)], FROM_CATALOG),  # no scheduler runs it
        ([Schedule((NOW + 30, NOW + 90), suspended=True)], FROM_CATALOG),
        ([Schedule((NOW + 30, NOW + 90), is_paused=True)], FROM_CATALOG),
        ([Schedule((NOW + 30, NOW + 90), times_known=False)], FROM_CATALOG),
        ([Schedule((NOW + 30, NOW + 90), task="fetch_news_task")], FROM_CATALOG),
        ([Schedule((NOW + 30,))], FROM_CATALOG),  # the last run, so there is no period
        ([Schedule((NOW + 30, NOW + 90), last_due_at=None)], 2 * 60 + 180),
    ],
)
def test_stale_after_with_registered_schedule_uses_its_period(schedules: list[Schedule], limit: float) -> None:
    """The limit is two periods plus the task's time limit, and at least the time since the last due time."""
    assert stale_after(CATALOG["fetch_stock_prices_task"], schedules, NOW) == limit


def test_dataset_limit_exceeds_period_and_time_limit() -> None:
    """A dataset becomes stale only after the next run of its task must have ended."""
    for dataset, limit in dataset_limits().items():
        task = CATALOG[DATASETS[dataset]]
        assert limit > task.period_seconds + task.time_limit_seconds


@pytest.mark.parametrize(
    ("schedules", "overdue"),
    [
        ([], True),  # its due time is unknown
        ([Schedule((NOW + 30, NOW + 330), task="fetch_news_task")], True),
        ([Schedule((NOW + 30, NOW + 330), last_due_at=None, runs=0)], False),  # its first run is still to come
        ([Schedule((NOW + 30, NOW + 330), last_due_at=NOW - 179)], False),  # the run may still be active
        ([Schedule((NOW + 30, NOW + 330), last_due_at=NOW - 181)], True),
        ([Schedule((NOW + 30, NOW + 330), last_due_at=NOW - 5, runs=2)], True),  # the first run did not deliver
        ([Schedule((NOW + 99_000,), last_due_at=None, runs=0), Schedule((NOW + 5,), runs=3)], True),
        ([Schedule((), suspended=True)], True),  # other code ignores a suspended schedule's dataset
        ([Schedule((), is_paused=True)], True),  # the same for a paused one
    ],
)
def test_absent_dataset_is_overdue_after_first_run_had_time(schedules: list[Schedule], *, overdue: bool) -> None:
    """A dataset is overdue when its first run had time to finish, or when a second run was due."""
    assert ("quotes:stock" in overdue_if_absent(schedules, NOW)) is overdue


@pytest.mark.parametrize(
    ("types", "schedules", "expected"),
    [
        ([], [], set()),
        ([*AssetType], [], {*DATASETS}),
        ([AssetType.CRYPTO], [], {*DATASETS} - {"quotes:stock"}),
        ([*AssetType], [Schedule(()), Schedule((), task="fetch_news_task")], {"quotes:stock", "news"}),
        ([*AssetType], [Schedule((), times_known=False), Schedule((), task="fetch_news_task")], {"news"}),
        ([*AssetType], [Schedule((), suspended=True), Schedule((), task="fetch_news_task")], {"news"}),
        ([*AssetType], [Schedule((), is_paused=True), Schedule((), task="fetch_news_task")], {"news"}),
        ([AssetType.CRYPTO], [Schedule(())], set()),  # the scheduled task has no active assets
    ],
)
def test_expected_datasets_have_active_assets_and_a_schedule(
    types: list[AssetType], schedules: list[Schedule], expected: set[str]
) -> None:
    """A dataset is expected if its task has active assets and a schedule that is neither suspended nor paused."""
    assert {*expected_datasets(types, schedules)} == expected


def test_expected_datasets_include_that_of_a_new_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Freshness checks cover every dataset in the catalog, so a new task does not require a change here."""
    task = TaskSpec("fetch_filings_task", Tier.LOW, "@daily", "Fetches filings.", datasets=("filings",))
    monkeypatch.setattr(freshness, "CATALOG", {**CATALOG, task.name: task})
    monkeypatch.setattr(freshness, "DATASETS", {**DATASETS, "filings": task.name})
    assert "filings" in expected_datasets([AssetType.STOCK])


PRICES = "default/prices"
EVERY_30_MINUTES = (NOW + 600, NOW + 2_400)


@pytest.mark.parametrize(
    ("schedules", "limit", "expected"),
    [
        # the pace of its predecessor, and at least the time since its own last due time
        ([Schedule((), after=PRICES), Schedule(EVERY_30_MINUTES, task="t", name=PRICES)], 2 * 1_800 + 180, True),
        (
            [
                Schedule((), after=PRICES, last_due_at=NOW - 170_000),
                Schedule((NOW + 9_000, NOW + 9_300), task="t", name=PRICES),
            ],
            170_000,
            True,
        ),
        # the pace of the first schedule in a chain
        (
            [
                Schedule((), after="default/bars"),
                Schedule((), task="t", name="default/bars", after=PRICES),
                Schedule(EVERY_30_MINUTES, task="t", name=PRICES),
            ],
            2 * 1_800 + 180,
            True,
        ),
        # nothing is expected while the predecessor is suspended or paused, also further up in the chain
        ([Schedule((), after=PRICES), Schedule((), task="t", name=PRICES, suspended=True)], FROM_CATALOG, False),
        ([Schedule((), after=PRICES), Schedule((), task="t", name=PRICES, is_paused=True)], FROM_CATALOG, False),
        (
            [
                Schedule((), after="default/bars"),
                Schedule((), task="t", name="default/bars", after=PRICES),
                Schedule((), task="t", name=PRICES, suspended=True),
            ],
            FROM_CATALOG,
            False,
        ),
        ([Schedule((), after=PRICES, suspended=True), Schedule(EVERY_30_MINUTES, name=PRICES, task="t")], None, False),
        # the data is wanted, but nothing will refresh it
        ([Schedule((), after=PRICES)], FROM_CATALOG, True),
        ([Schedule((), name="default/x", after=PRICES), Schedule((), name=PRICES, after="default/x")], None, True),
        ([Schedule((), name=PRICES, after=PRICES)], FROM_CATALOG, True),
    ],
)
def test_follower_has_the_pace_of_its_predecessor(
    schedules: list[Schedule], limit: float | None, *, expected: bool
) -> None:
    """A follower has no next times, and its data may be as old as the pace of its predecessor permits."""
    assert stale_after(CATALOG["fetch_stock_prices_task"], schedules, NOW) == (limit or FROM_CATALOG)
    assert ("quotes:stock" in expected_datasets([*AssetType], schedules)) is expected


def test_data_of_a_follower_is_not_overdue_before_a_success_of_its_predecessor() -> None:
    """A follower that has not been due yet owes no data."""
    schedules = [
        Schedule((), after=PRICES, last_due_at=None, runs=0),
        Schedule(EVERY_30_MINUTES, task="fetch_news_task", name=PRICES),
    ]
    assert "quotes:stock" not in overdue_if_absent(schedules, NOW)
