"""Actors of the catalogue's tasks, and enqueueing by name without them."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import dramatiq
from dramatiq.errors import BrokerConnectionError

from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.errors import InvalidArgumentsError, StoreUnavailableError


def declare(broker: dramatiq.Broker, task: str, fn: Callable[..., Any]) -> "dramatiq.Actor[..., Any]":
    """Make `fn` the actor of a catalogue task on its queue, with its limits.

    Args:
        broker: of this process.
        task: name in the catalogue.
        fn: takes the fields of the task's argument model as keywords; sync or async.

    A call whose arguments the model refuses never reaches `fn`: it is dead-lettered at once, the field named.
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
    queue: str | None = None,
    delay: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> "dramatiq.Message[Any]":
    """Enqueue a task by name, without its actor.

    Args:
        broker: any; only its `enqueue` is used.
        task: name of an actor.
        kwargs: its arguments; checked against the catalogue's model where the task is in it.
        queue: required for a task outside the catalogue; overrides the catalogue's.
        delay: seconds until it becomes ready.
        options: message options (`broker.options` and dramatiq's).

    Returns:
        The message as it lies in Redis.

    Raises:
        InvalidArgumentsError: the model refuses the arguments, or no queue is known; nothing was enqueued.
        StoreUnavailableError: Redis did not take it. After a timeout it may have, all the same: tasks are idempotent.
    """
    kwargs = dict(kwargs or {})
    spec = CATALOG.get(task)
    if spec is not None:
        validate_arguments(task, (), kwargs)
        queue = queue or spec.queue
    if not queue:
        raise InvalidArgumentsError(task, "queue", f"required for a task outside the catalogue ({', '.join(CATALOG)})")
    message: dramatiq.Message[Any] = dramatiq.Message(
        queue_name=str(queue), actor_name=task, args=(), kwargs=kwargs, options=dict(options or {})
    )
    try:
        return broker.enqueue(message, delay=None if delay is None else round(delay * 1000))
    except BrokerConnectionError as error:
        raise StoreUnavailableError(f"{task} was not enqueued: {error}; try again when Redis is back") from error
