"""The end of a run: the hooks that dramatiq calls before the ack, and the messages that they enqueue.

Stock dramatiq logs an error of a hook and acknowledges the message. If the hook enqueues what follows the run, such as
a retry, a callback or the next message of a pipeline, that message is then lost. If its worker dies between the enqueue
and the ack, the message is doubled. Here, the ack enqueues what follows the run, in one step.
"""

import threading
from typing import Any

from dramatiq.broker import Broker, MessageProxy
from dramatiq.middleware import Callbacks, CurrentMessage, GroupCallbacks, Pipelines, Retries

from financehub_shared.broker.delivery import Delivery, PendingMessage
from financehub_shared.broker.hooks import Hooks
from financehub_shared.core.errors import FollowUpError
from financehub_shared.core.exception_text import describe_exception

#: Middleware that enqueues what follows a successful run. Without it, the run is incomplete.
_FOLLOW_UPS = (Callbacks, GroupCallbacks, Pipelines)


class RunEnd:
    """Calls the hooks of a run's end, and keeps the messages that they enqueue for the ack.

    Args:
        hooks: Finds the middleware to call.
    """

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._current = threading.local()

    def emit(self, broker: Broker, message: MessageProxy, **outcome: Any) -> None:
        """Call `after_process_message` of all middleware, last first.

        If what follows a successful run cannot be enqueued, the attempt counts as failed for the remaining middleware.
        `Retries` decides whether it is repeated. If that decision has already been made, the message is dead-lettered,
        and requeueing it repeats the run with what follows.

        Args:
            broker: Broker of the process.
            message: Message of the run.
            outcome: `result` or `exception`.
        """
        self._current.delivery = message if isinstance(message, Delivery) else None
        active = self._hooks.active("after_process_message", broker.middleware)
        remaining = len(active)
        try:
            while remaining:
                remaining -= 1
                middleware = active[remaining]
                try:
                    middleware.after_process_message(broker, message, **outcome)
                except Exception as error:
                    if outcome.get("exception") is not None or not isinstance(middleware, _FOLLOW_UPS):
                        name, found = "after_process_message", middleware
                        broker.logger.critical("Unexpected failure in %s of %r.", name, found, exc_info=True)
                        continue
                    failure = FollowUpError(type(middleware).__name__, describe_exception(error))
                    failure.__cause__ = error
                    message.stuff_exception(failure)
                    outcome = {"exception": failure}
                    if not any(isinstance(other, Retries) for other in active[:remaining]):
                        message.fail()
        finally:
            self._current.delivery = None

    @property
    def is_current(self) -> bool:
        """Whether this thread is at the end of a run."""
        return getattr(self._current, "delivery", None) is not None

    def note_enqueue(self) -> None:
        """Note that a message is enqueued, which may follow the run at its end in this thread or be sent by a task.

        `CurrentMessage` knows the task, because its context also reaches coroutines and `asyncio.to_thread`.
        """
        # Its type says Message, but a worker gives it the delivery.
        delivery: Any = getattr(self._current, "delivery", None) or CurrentMessage.get_current_message()
        if isinstance(delivery, Delivery):
            delivery.has_follow_ups = True

    def keep(self, pending: PendingMessage) -> bool:
        """Keep a message for the ack of the run, if this thread is at the end of a run.

        Args:
            pending: The message.
        """
        delivery: Delivery | None = getattr(self._current, "delivery", None)
        if delivery is None:
            return False
        delivery.pending.append(pending)
        return True
