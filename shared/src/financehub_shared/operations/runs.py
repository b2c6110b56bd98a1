"""Starts a run of a task, or one with the same arguments as an earlier run."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import dramatiq

from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.errors import ConfigError, InvalidArgumentsError
from financehub_shared.core.near_names import require_known
from financehub_shared.health.presence import missing_worker
from financehub_shared.health.processes import ProcessInfo
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.monitor import RunRecord, TaskMonitor
from financehub_shared.monitor.run_state import UNKNOWN_TASK
from financehub_shared.worker.actors import enqueue

#: Names of queues that dramatiq accepts. Another program may have written any other into a record.
_QUEUE = re.compile(r"[a-zA-Z_][a-zA-Z0-9._-]{0,62}")


def start_run(
    broker: dramatiq.Broker,
    monitor: TaskMonitor,
    store: Store,
    task: str,
    arguments: Mapping[str, Any],
    *,
    args: Sequence[Any] = (),
    queue: str = "",
    options: Mapping[str, Any] | None = None,
    processes: Sequence[ProcessInfo] = (),
) -> "dramatiq.Message[Any]":
    """Check the arguments of a task, enqueue one run and record it as queued.

    Args:
        broker: Broker that enqueues.
        monitor: Records the run.
        store: The market data, whose assets the argument `symbols` must name.
        task: Name of the task.
        arguments: Keyword arguments of the task.
        args: Positional arguments. A task of the catalog has none.
        queue: Queue of the message. Required only for a task that is not in the catalog.
        options: Message options.
        processes: The live processes. If a worker serves the queue, one of them must know the task.

    Returns:
        The message, whose id is the id of the run.

    Raises:
        UnknownNameError: The task is not in the catalog, and no queue is given.
        ConfigError: No worker of the queue knows the task. Nothing was enqueued.
        InvalidArgumentsError: An argument is wrong, or a symbol is unknown. Nothing was enqueued.
        StoreUnavailableError: Redis did not confirm the message.
    """
    if not queue:
        require_known("task", task, CATALOG)
    if task in CATALOG:
        validate_arguments(task, tuple(args), dict(arguments))
        if arguments.get("symbols"):
            unreadable: Unreadable = {}
            known = store.assets(active_only=False, unreadable=unreadable)
            select_assets(task, arguments["symbols"], known, unreadable)
    refuse_unknown_task(processes, queue or str(CATALOG[task].queue), task)
    message = enqueue(broker, task, arguments, args=args, queue=queue or None, options=options)
    monitor.record_queued(message)
    return message


def refuse_unknown_task(processes: Sequence[ProcessInfo], queue: str, task: str) -> None:
    """Refuse a run that would become a dead letter at once, because no worker knows its task.

    Args:
        processes: The live processes.
        queue: Queue of the message.
        task: Name of the task.

    Raises:
        ConfigError: Workers serve the queue, and none of them knows the task.
    """
    absence = missing_worker(processes, queue, task)
    if absence is not None and absence.is_final:
        raise ConfigError(f"{absence.problem}; {absence.advice}")


def why_not_again(run: RunRecord) -> str:
    """Return why a run cannot be started again with the same arguments, or an empty string if it can."""
    if run.task == UNKNOWN_TASK:
        return "No worker knows the task of this run."
    if run.queue and not _QUEUE.fullmatch(run.queue):
        return "The name of the queue in the record of this run is damaged."
    if run.arguments is None:
        return "The record of this run has no arguments. They are stored when a run starts."
    return run.arguments.problem


def run_again(
    broker: dramatiq.Broker,
    monitor: TaskMonitor,
    store: Store,
    message_id: str,
    *,
    processes: Sequence[ProcessInfo] = (),
) -> "dramatiq.Message[Any]":
    """Start a run with the task, the queue and the arguments of an earlier one. Nothing else is taken over from it.

    Args:
        broker: Broker that enqueues.
        monitor: Reads the earlier run, and records the new one.
        store: The market data, whose assets the argument `symbols` must name.
        message_id: Id of the earlier run.
        processes: The live processes. If a worker serves the queue, one of them must know the task.

    Returns:
        The message, whose id is the id of the new run.

    Raises:
        InvalidArgumentsError: The run is unknown or cannot be started again, or its arguments are no longer valid.
            Nothing was enqueued.
        ConfigError: No worker of the queue knows the task. Nothing was enqueued.
        StoreUnavailableError: Redis did not confirm the message.
    """
    run = find_run(monitor, message_id)
    if (problem := why_not_again(run)) or run.arguments is None:
        raise InvalidArgumentsError("runs again", "id", problem)
    arguments = run.arguments
    return start_run(
        broker,
        monitor,
        store,
        run.task,
        arguments.kwargs,
        args=arguments.args,
        queue=run.queue,
        processes=processes,
    )


def find_run(monitor: TaskMonitor, message_id: str) -> RunRecord:
    """Return one run.

    Args:
        monitor: Reads the run.
        message_id: Its id.

    Raises:
        InvalidArgumentsError: It is unknown, or its record has expired.
    """
    run = monitor.get_run(message_id)
    if run is None:
        problem = f"the run {message_id[:100]!r} is unknown, or its record has expired; use the whole id of a run"
        raise InvalidArgumentsError("runs", "id", problem)
    return run
