"""Tests of the cleanup tasks."""

from dataclasses import replace

import pytest

from financehub_low_priority.cleanup import DAY_SECONDS, cleanup_failed_tasks, cleanup_old_cache
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.models import Quarantined
from financehub_shared.core.settings import Settings, load_settings
from support.market_data import bars, news, quote
from support.memory_store import MemoryStore

NOW = 20_500 * DAY_SECONDS + 3_600.0


@pytest.fixture
def settings() -> Settings:
    """Settings with a different retention for each kind of record."""
    return load_settings(
        {
            "FINANCEHUB_QUOTE_RETENTION_DAYS": "2",
            "FINANCEHUB_HISTORY_RETENTION_DAYS": "1",
            "FINANCEHUB_BAR_RETENTION_DAYS": "100",
            "FINANCEHUB_NEWS_RETENTION_DAYS": "3",
            "FINANCEHUB_DEAD_LETTER_RETENTION_DAYS": "4",
            "FINANCEHUB_RUN_RETENTION_DAYS": "5",
            "FINANCEHUB_QUARANTINE_RETENTION_DAYS": "6",
        }
    )


@pytest.fixture
def store() -> MemoryStore:
    """A store with two records of each kind, one of which is past its retention."""
    store = MemoryStore()
    store.put_quotes([quote("OLD", fetched_at=NOW - 2 * DAY_SECONDS - 1), quote("NEW", fetched_at=NOW)])
    store.put_bars([bars("AAPL", range(20_398, 20_403))])
    rejected = Quarantined("quote", "OLD", "yahoo", "jump: up", "", NOW - 6 * DAY_SECONDS - 1)
    store.put_quarantined([rejected, replace(rejected, symbol="NEW", at=NOW)])
    store.put_news([news("1", "Old hat", NOW - 3 * DAY_SECONDS - 1), news("2", "Brand new", NOW)])
    return store


def test_cleanup_old_cache_applies_the_retention_of_each_kind(store: MemoryStore, settings: Settings):
    """Quotes, price histories, bars and news are each dropped after the number of days in their setting."""
    summary = cleanup_old_cache(store=store, settings=settings, clock=ManualClock(NOW), dry_run=False)
    dropped = {"quotes": 1, "history": 1, "bars": 2, "indicators": 0, "news": 1, "quarantine": 1}
    assert summary.details == {"dropped": dropped, "dry_run": False}
    assert (summary.requested, summary.stored) == (6, 6)
    assert list(store.quotes()) == ["NEW"]
    assert list(store.bars(["AAPL"])["AAPL"].days) == [20_400, 20_401, 20_402]
    assert [item.title for item in store.news()] == ["Brand new"]
    assert [record.symbol for record in store.quarantined()] == ["NEW"]


def test_cleanup_old_cache_run_twice_drops_nothing_more(store: MemoryStore, settings: Settings):
    """The second run finds nothing to drop."""
    cleanup_old_cache(store=store, settings=settings, clock=ManualClock(NOW), dry_run=False)
    assert cleanup_old_cache(store=store, settings=settings, clock=ManualClock(NOW), dry_run=False).requested == 0


def test_cleanup_old_cache_in_a_dry_run_only_counts(store: MemoryStore, settings: Settings):
    """A dry run reports what a real run would drop, and drops nothing."""
    summary = cleanup_old_cache(store=store, settings=settings, clock=ManualClock(NOW), dry_run=True)
    assert (summary.requested, summary.stored, summary.details["dry_run"]) == (6, 0, True)
    assert len(store.quotes()) == 2


class FakeRecords:
    """A fake store of records that ended the given numbers of days ago."""

    def __init__(self, *ages_in_days: float) -> None:
        self.ended_at = [NOW - age * DAY_SECONDS for age in ages_in_days]

    def drop_older(self, before: float, *, dry_run: bool = False) -> int:
        """Drop records as the stores of run records and dead letters do."""
        count = sum(at < before for at in self.ended_at)
        if not dry_run:
            self.ended_at = [at for at in self.ended_at if at >= before]
        return count


@pytest.mark.parametrize("dry_run", [False, True])
def test_cleanup_failed_tasks_applies_both_retentions(settings: Settings, dry_run: bool):
    """Dead letters are dropped after 4 days and run records after 5 days, except in a dry run."""
    dead_letters, runs = FakeRecords(1, 4.5, 9), FakeRecords(1, 4.5, 9)
    clock = ManualClock(NOW)
    summary = cleanup_failed_tasks(
        dead_letters=dead_letters, runs=runs, settings=settings, clock=clock, dry_run=dry_run
    )
    assert summary.details["dropped"] == {"dead_letters": 2, "runs": 1}
    assert (len(dead_letters.ended_at), len(runs.ended_at)) == ((3, 3) if dry_run else (1, 2))
