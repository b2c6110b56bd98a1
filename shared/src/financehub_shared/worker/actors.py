"""Declares actors for catalog tasks, and enqueues tasks by name."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dramatiq
from dramatiq.errors import BrokerConnectionError

from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.errors import InvalidArgumentsError, StoreUnavailableError
from financehub_shared.core.exception_text import exception_message


def declare(broker: dramatiq.Broker, task: str, fn: Callable[..., Any]) -> "dramatiq.Actor[..., Any]":
    """Make `fn` the actor of a catalog task, with the queue and limits from the catalog.

    If the argument model refuses a message's arguments, `fn` is not called. The message is dead-lettered without a
    retry, and its error names the field.

    Args:
        broker: Broker of the process.
        task: Name of the task in the catalog.
        fn: Function or coroutine function whose keyword arguments are the fields in the task's argument model.
    """
    spec = CATALOG[task]

    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def checked(*args: Any, **kwargs: Any) -> Any:
            return await fn(**validate_arguments(task, args, kwargs).model_dump(exclude_unset=True))
    else:

        @functools.wraps(fn)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return fn(**validate_arguments(task, args, kwargs).model_dump(exclude_unset=True))

    decorate = dramatiq.actor(
        actor_name=task,
        queue_name=spec.queue,
        broker=broker,
        throws=InvalidArgumentsError,
        time_limit=spec.time_limit_seconds * 1000,
        max_age=spec.max_age_seconds * 1000 if spec.max_age_seconds else None,
    )
    return decorate(checked)


def enqueue(
    broker: dramatiq.Broker,
    task: str,
    kwargs: Mapping[str, Any] | None = None,
    *,
    args: Sequence[Any] = (),
    queue: str | None = None,
    delay: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> "dramatiq.Message[Any]":
    """Enqueue a task by name; its actor need not be declared in this process.

    Args:
        broker: Any broker; only its `enqueue` is used.
        task: Name of the actor.
        kwargs: Keyword arguments, validated by the argument model if the task is in the catalog.
        args: Positional arguments. A task of the catalog has none.
        queue: Name of the queue. It is required for a task outside the catalog, and overrides the catalog's queue.
        delay: Seconds until the message becomes ready.
        options: Message options, from `broker.options` or dramatiq's own.

    Returns:
        The message as it is stored in Redis.

    Raises:
        InvalidArgumentsError: The model refuses the arguments, or no queue is known. Nothing was enqueued.
        StoreUnavailableError: Redis did not confirm the message. After a timeout, Redis may have accepted it anyway,
            which is harmless because tasks are idempotent.
    """
    kwargs = dict(kwargs or {})
    spec = CATALOG.get(task)
    if spec is not None:
        validate_arguments(task, tuple(args), kwargs)
        queue = queue or spec.queue
    if not queue:
        raise InvalidArgumentsError(task, "queue", f"required for a task outside the catalog ({', '.join(CATALOG)})")
    message: dramatiq.Message[Any] = dramatiq.Message(
        queue_name=str(queue), actor_name=task, args=tuple(args), kwargs=kwargs, options=dict(options or {})
    )
    try:
        return broker.enqueue(message, delay=None if delay is None else round(delay * 1000))
    except BrokerConnectionError as error:
        raise StoreUnavailableError(
            f"{task} was not enqueued: {exception_message(error)}; try again when Redis is back"
        ) from error
