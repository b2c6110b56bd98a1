"""The two cleanup tasks, which delete data past its retention. They are idempotent, and a dry run only counts."""

from collections.abc import Mapping
from typing import Protocol

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.settings import Settings
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable


class Records(Protocol):
    """Records with a retention: the dead letters of all queues, or the run records of all tasks."""

    def drop_older(self, before: float, *, dry_run: bool = False) -> int:
        """Delete records that ended before `before` (Unix seconds). Return their number, even in a dry run."""
        ...


def cleanup_old_cache(*, store: Store, settings: Settings, clock: Clock, dry_run: bool) -> TaskSummary:
    """Delete quotes, price histories, bars, indicators, news and quarantine records past their retention.

    Args:
        store: Store of market data.
        settings: Settings with the retention of each kind of record (`quote_retention_days` and so on).
        clock: Source of time.
        dry_run: Count only.

    Raises:
        StoreUnavailableError: Redis is unavailable; data that was already deleted stays deleted.
    """
    now = clock.now()
    unreadable: Unreadable = {}
    dropped = store.drop_older(
        quotes_before=now - settings.quote_retention_days * DAY_SECONDS,
        history_before_day=int(now // DAY_SECONDS) - settings.history_retention_days,
        bars_before_day=int(now // DAY_SECONDS) - settings.bar_retention_days,
        news_before=now - settings.news_retention_days * DAY_SECONDS,
        quarantine_before=now - settings.quarantine_retention_days * DAY_SECONDS,
        dry_run=dry_run,
        unreadable=unreadable,
    )
    return _summary(dropped, dry_run=dry_run, missing={name: str(error) for name, error in unreadable.items()})


def cleanup_failed_tasks(
    *, dead_letters: Records, runs: Records, settings: Settings, clock: Clock, dry_run: bool
) -> TaskSummary:
    """Delete dead letters and the records of runs past their retention.

    The janitor of the scheduler also deletes expired dead letters, every 15 s, so this task finds few of them. Run it
    to delete them by hand or only to count them. Run records also expire by themselves, and workers keep only the
    newest 10,080 of each task, so this task mainly removes the entries of expired records from the lists of ended runs.

    Args:
        dead_letters: Dead letters of all queues.
        runs: Run records of all tasks.
        settings: Settings with `dead_letter_retention_days` and `run_retention_days`.
        clock: Source of time.
        dry_run: Count only.

    Raises:
        redis.RedisError: Redis is unavailable; records that were already deleted stay deleted.
    """
    now = clock.now()
    dropped = {
        "dead_letters": dead_letters.drop_older(
            now - settings.dead_letter_retention_days * DAY_SECONDS, dry_run=dry_run
        ),
        "runs": runs.drop_older(now - settings.run_retention_days * DAY_SECONDS, dry_run=dry_run),
    }
    return _summary(dropped, dry_run=dry_run)


def _summary(dropped: Mapping[str, int], *, dry_run: bool, missing: Mapping[str, str] | None = None) -> TaskSummary:
    count = sum(dropped.values())
    return TaskSummary(
        requested=count,
        stored=0 if dry_run else count,
        missing=missing or {},
        missing_count=len(missing or {}),
        details={"dropped": dict(dropped), "dry_run": dry_run},
    )
