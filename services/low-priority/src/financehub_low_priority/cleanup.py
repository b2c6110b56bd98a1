"""The work of the two clean-up tasks: what is past its retention goes. Idempotent; a dry run only counts."""

from collections.abc import Mapping
from typing import Protocol

from financehub_shared.clock import Clock
from financehub_shared.settings import Settings
from financehub_shared.store.port import Store
from financehub_shared.summary import TaskSummary

DAY_SECONDS = 86_400


class DropOlder(Protocol):
    """Deletes records that ended before a time."""

    def __call__(self, before: float, *, dry_run: bool) -> int:
        """Returns how many (would) go; `before` in Unix seconds."""
        ...


def cleanup_old_cache(*, store: Store, settings: Settings, clock: Clock, dry_run: bool) -> TaskSummary:
    """Drop quotes, bars, indicators and news past their retention.

    Args:
        store: the data.
        settings: `quote_`, `bar_` and `news_retention_days`.
        clock: the time.
        dry_run: only count.

    Raises:
        StoreUnavailableError: Redis is away; what was dropped until then stays dropped.
    """
    now = clock.now()
    dropped = store.drop_older(
        quotes_before=now - settings.quote_retention_days * DAY_SECONDS,
        bars_before_day=int(now // DAY_SECONDS) - settings.bar_retention_days,
        news_before=now - settings.news_retention_days * DAY_SECONDS,
        dry_run=dry_run,
    )
    return _summary(dropped, dry_run=dry_run)


def cleanup_failed_tasks(
    *, drop_dead_letters: DropOlder, drop_runs: DropOlder, settings: Settings, clock: Clock, dry_run: bool
) -> TaskSummary:
    """Drop dead letters and the records of runs past their retention.

    Args:
        drop_dead_letters: deletes dead letters, of every queue.
        drop_runs: deletes records of runs, of every task.
        settings: `dead_letter_retention_days` and `run_retention_days`.
        clock: the time.
        dry_run: only count.
    """
    now = clock.now()
    dropped = {
        "dead_letters": drop_dead_letters(now - settings.dead_letter_retention_days * DAY_SECONDS, dry_run=dry_run),
        "runs": drop_runs(now - settings.run_retention_days * DAY_SECONDS, dry_run=dry_run),
    }
    return _summary(dropped, dry_run=dry_run)


def _summary(dropped: Mapping[str, int], *, dry_run: bool) -> TaskSummary:
    count = sum(dropped.values())
    return TaskSummary(
        asked=count, stored=0 if dry_run else count, details={"dropped": dict(dropped), "dry_run": dry_run}
    )
