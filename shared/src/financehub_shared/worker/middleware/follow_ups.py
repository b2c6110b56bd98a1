"""Middleware that enqueues what follows a run: callbacks, and the next message of a pipeline.

Dramatiq's own classes require that the actor of a callback is declared in the process of the run. The tasks of other
tiers are not, so these classes take their queues from the catalog. Tasks of the catalog accept keyword arguments only
and therefore get neither the message nor the result, which dramatiq passes as positional arguments.
"""

from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.broker import MessageProxy
from dramatiq.common import q_name
from dramatiq.middleware import Callbacks as StockCallbacks
from dramatiq.middleware import Pipelines as StockPipelines
from dramatiq.middleware import Shutdown

from financehub_shared.broker import options
from financehub_shared.broker.door import without_history
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.exception_text import exception_message, exception_name
from financehub_shared.core.log import get_logger

log = get_logger(__name__)


class CallbackTarget:
    """The actor of a callback, which need not be declared in this process.

    A task that is neither declared here nor in the catalog goes to the queue of the message that names it. Another
    worker of that queue may know it. If none does, the callback becomes a dead letter with the reason `unknown-task`.

    Args:
        broker: Broker of the process.
        message: Message whose run is followed by the callback.
        task: Name of the actor.
    """

    def __init__(self, broker: dramatiq.Broker, message: MessageProxy, task: str) -> None:
        self._broker = broker
        self._task = task
        spec, actor = CATALOG.get(task), broker.actors.get(task)
        if spec is not None:
            self._queue = str(spec.queue)
        elif actor is not None:
            self._queue = actor.queue_name
        else:
            self._queue = q_name(message.queue_name)
            log.warning("callback_unresolved", callback=task, queue=self._queue, message_id=message.message_id)

    def send(self, message: dict[str, Any], outcome: Any) -> None:
        """Enqueue the callback. A task of the catalog gets no arguments.

        Args:
            message: Fields of the message whose run is followed by the callback.
            outcome: The result, or what describes the failure.
        """
        if self._task in CATALOG:
            self._broker.enqueue(dramatiq.Message(self._queue, self._task, (), {}, {}))
            return
        # With its history, which does not count for the size of a message, a callback could be too large.
        args = (without_history(message), outcome)
        self._broker.enqueue(dramatiq.Message(self._queue, self._task, args, {}, {options.CALLBACK: True}))


class Callbacks(StockCallbacks):
    """Dramatiq's `Callbacks` for tasks of all tiers.

    An attempt that its worker's shutdown interrupts is not a failure, so it has no callback.

    Args:
        redact: Masks secrets in the error that `on_failure` gets, because messages are stored in Redis.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Enqueue the callback of the message or, if it has none, of its actor."""
        if isinstance(exception, Shutdown):
            return
        option = "on_success" if exception is None else "on_failure"
        task = message.options.get(option) or broker.get_actor(message.actor_name).options.get(option)
        if task:
            outcome = result if exception is None else self._describe(exception)
            CallbackTarget(broker, message, task).send(message.asdict(), outcome)

    def _describe(self, exception: BaseException) -> dict[str, str]:
        return {"type": exception_name(exception), "message": exception_message(exception, self._redact)}


class Pipelines(StockPipelines):
    """Dramatiq's `Pipelines`, in which a task of the catalog ignores the result of the previous message."""

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Enqueue the next message of the pipeline."""
        target = message.options.get("pipe_target")
        if target is None:
            return
        if target["actor_name"] in CATALOG:
            target["options"] = target["options"] | {"pipe_ignore": True}
        super().after_process_message(broker, message, result=result, exception=exception)  # type: ignore[no-untyped-call]
