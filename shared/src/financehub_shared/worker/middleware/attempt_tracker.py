"""Tracks the attempts in progress in this process, for logs, metrics, records, heartbeat and liveness."""

from dataclasses import dataclass, field
from typing import Any

from dramatiq import Actor, Broker, MessageProxy, Middleware, Worker

from financehub_shared.broker.message import attempt_id
from financehub_shared.core.clock import Clock
from financehub_shared.monitor.attempt import Attempt


@dataclass
class AttemptTracker(Middleware):
    """The attempts in progress, and facts about the worker that runs them.

    Args:
        clock: Provides the start times.
        default_time_limit: Time limit in seconds for actors that do not set one.
    """

    clock: Clock
    default_time_limit: float
    threads: int = 0
    queues: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    draining: bool = False
    _attempts: dict[str, Attempt] = field(default_factory=dict)
    _processed: set[str] = field(default_factory=set)

    def running(self) -> list[Attempt]:
        """Return the attempts in progress. It takes no lock, because probes call it."""
        # one operation of the interpreter, which no other thread interrupts
        return list(self._attempts.values())

    def get(self, message: MessageProxy) -> Attempt | None:
        """Return the attempt of `message` while it is in progress."""
        return self._attempts.get(attempt_id(message))

    def was_processed(self, message: MessageProxy) -> bool:
        """Whether a worker thread processed the message. Valid until the ack; false if there is no such actor."""
        return attempt_id(message) in self._processed

    def time_limit_of(self, actor: "Actor[Any, Any] | None", message_limit: int | None = None) -> float:
        """Return the time limit of an attempt in seconds.

        Args:
            actor: Actor of the message, or None if it is unknown.
            message_limit: Limit in ms that the message itself sets.
        """
        limit = message_limit or (actor.options.get("time_limit") if actor else None)
        return limit / 1_000 if limit else self.default_time_limit

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self.threads = worker.worker_threads
        names = worker.consumer_whitelist or broker.get_declared_queues()
        self.queues = tuple(sorted(names))
        self.actors = tuple(sorted(broker.get_declared_actors()))

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self.draining = True

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        actor = broker.actors.get(message.actor_name)
        attempt = Attempt(
            message,
            attempt_id(message),
            self.clock.now(),
            self.clock.monotonic(),
            self.time_limit_of(actor, message.options.get("time_limit")),
        )
        self._attempts[attempt.id] = attempt

    def _finish(self, message: MessageProxy) -> None:
        id = attempt_id(message)
        self._attempts.pop(id, None)
        self._processed.add(id)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        self._finish(message)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        self._finish(message)

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        self._processed.discard(attempt_id(message))

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        self._processed.discard(attempt_id(message))
