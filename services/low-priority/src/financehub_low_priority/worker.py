"""Composition root of the low-priority tier: `dramatiq financehub_low_priority.worker -p 1 -t 2`."""

from financehub_low_priority.cleanup import cleanup_failed_tasks, cleanup_old_cache
from financehub_low_priority.health_check import check_health
from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.catalog import Tier
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.health.readers import health_checker
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis.client import connect
from financehub_shared.worker.actors import declare
from financehub_shared.worker.tier import start_tier

process = start_tier(Tier.LOW)
broker = process.broker
client = connect(process.settings.broker_url)
monitor = TaskMonitor(client)
checker = health_checker(process.settings, clock=process.clock)


def cleanup_cache(*, dry_run: bool = False) -> TaskSummary:
    """Delete quotes, price histories, bars, indicators, news and quarantine records past their retention."""
    return cleanup_old_cache(store=process.store, settings=process.settings, clock=process.clock, dry_run=dry_run)


def health_check() -> TaskSummary:
    """Check the fleet and record the report."""
    return check_health(checker=checker, monitor=monitor, client=client, clock=process.clock)


def cleanup_failed(*, dry_run: bool = False) -> TaskSummary:
    """Delete dead letters and run records past their retention."""
    return cleanup_failed_tasks(
        dead_letters=DeadLetterQueue(client),
        runs=monitor,
        settings=process.settings,
        clock=process.clock,
        dry_run=dry_run,
    )


declare(broker, "cleanup_old_cache_task", cleanup_cache)
declare(broker, "health_check_task", health_check)
declare(broker, "cleanup_failed_tasks_task", cleanup_failed)
