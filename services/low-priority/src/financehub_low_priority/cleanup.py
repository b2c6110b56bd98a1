"""The work of the two clean-up tasks: what is past its retention goes. Idempotent; a dry run only counts."""

from collections.abc import Mapping
from typing import Protocol

from financehub_shared.core.clock import Clock
from financehub_shared.core.settings import Settings
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.port import Store

DAY_SECONDS = 86_400


class Records(Protocol):
    """What is kept for a while: `broker.DeadLetters` of all queues, runs of all tasks in `monitor.TaskMonitor`."""

    def drop_older(self, before: float, *, dry_run: bool = False) -> int:
        """Drop what ended before `before`, Unix seconds; returns how many (would) go."""
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
    *, dead_letters: Records, runs: Records, settings: Settings, clock: Clock, dry_run: bool
) -> TaskSummary:
    """Drop dead letters and the records of runs past their retention.

    Args:
        dead_letters: of every queue.
        runs: records of every task.
        settings: `dead_letter_retention_days` and `run_retention_days`.
        clock: the time.
        dry_run: only count.

    Raises:
        redis.RedisError: Redis is away; what was dropped until then stays dropped.
    """
    now = clock.now()
    dropped = {
        "dead_letters": dead_letters.drop_older(
            now - settings.dead_letter_retention_days * DAY_SECONDS, dry_run=dry_run
        ),
        "runs": runs.drop_older(now - settings.run_retention_days * DAY_SECONDS, dry_run=dry_run),
    }
    return _summary(dropped, dry_run=dry_run)


def _summary(dropped: Mapping[str, int], *, dry_run: bool) -> TaskSummary:
    count = sum(dropped.values())
    return TaskSummary(
        asked=count, stored=0 if dry_run else count, details={"dropped": dict(dropped), "dry_run": dry_run}
    )
