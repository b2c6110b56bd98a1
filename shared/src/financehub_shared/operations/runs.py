"""Starts a run of a task."""

from collections.abc import Mapping
from typing import Any

import dramatiq

from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.near_names import require_known
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.monitor import TaskMonitor
from financehub_shared.worker.actors import enqueue


def start_run(
    broker: dramatiq.Broker,
    monitor: TaskMonitor,
    store: Store,
    task: str,
    arguments: Mapping[str, Any],
    *,
    queue: str = "",
    options: Mapping[str, Any] | None = None,
) -> "dramatiq.Message[Any]":
    """Check the arguments of a task, enqueue one run and record it as queued.

    Args:
        broker: Broker that enqueues.
        monitor: Records the run.
        store: The market data, whose assets the argument `symbols` must name.
        task: Name of the task.
        arguments: Arguments of the task.
        queue: Queue of the message. Required only for a task that is not in the catalog.
        options: Message options.

    Returns:
        The message, whose id is the id of the run.

    Raises:
        UnknownNameError: The task is not in the catalog, and no queue is given.
        InvalidArgumentsError: An argument is wrong, or a symbol is unknown. Nothing was enqueued.
        StoreUnavailableError: Redis did not confirm the message.
    """
    if not queue:
        require_known("task", task, CATALOG)
    if task in CATALOG:
        validate_arguments(task, (), dict(arguments))
        if arguments.get("symbols"):
            unreadable: Unreadable = {}
            known = store.assets(active_only=False, unreadable=unreadable)
            select_assets(task, arguments["symbols"], known, unreadable)
    message = enqueue(broker, task, arguments, queue=queue or None, options=options)
    monitor.record_queued(message)
    return message
