"""What runs in this process now: the one tracker that logs, metrics, records, heartbeat and liveness read."""

import threading
from dataclasses import dataclass, field
from typing import Any

from dramatiq import Actor, Broker, MessageProxy, Middleware, Worker

from financehub_shared.broker.message import delivery_of
from financehub_shared.core.clock import Clock
from financehub_shared.monitor.attempt import Flight


@dataclass
class InFlight(Middleware):
    """First in the list: before every other `before_…`, after every other `after_…`.

    Args:
        clock: stamps the starts.
        default_time_limit: seconds, for actors without a limit.
    """

    clock: Clock
    default_time_limit: float
    threads: int = 0
    queues: tuple[str, ...] = ()
    draining: bool = False
    _flights: dict[str, Flight] = field(default_factory=dict)
    _processed: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> list[Flight]:
        """What runs now."""
        with self._lock:
            return list(self._flights.values())

    def get(self, message: MessageProxy) -> Flight | None:
        """The flight of `message` while it runs."""
        return self._flights.get(delivery_of(message))

    def was_processed(self, message: MessageProxy) -> bool:
        """Whether a worker thread had the message, between its end and its ack; false for one of an unknown actor."""
        return delivery_of(message) in self._processed

    def time_limit_of(self, actor: "Actor[Any, Any] | None", own: int | None = None) -> float:
        """Seconds that a try may take.

        Args:
            actor: whose; None: an unknown one.
            own: limit of the message, ms.
        """
        limit = own or (actor.options.get("time_limit") if actor else None)
        return limit / 1_000 if limit else self.default_time_limit

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self.threads = worker.worker_threads
        names = worker.consumer_whitelist or broker.get_declared_queues()
        self.queues = tuple(sorted(names))

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self.draining = True

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        actor = broker.actors.get(message.actor_name)
        flight = Flight(
            message,
            delivery_of(message),
            self.clock.now(),
            self.clock.monotonic(),
            self.time_limit_of(actor, message.options.get("time_limit")),
        )
        with self._lock:
            self._flights[flight.delivery] = flight

    def _land(self, message: MessageProxy) -> None:
        delivery = delivery_of(message)
        with self._lock:
            self._flights.pop(delivery, None)
            self._processed.add(delivery)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        self._land(message)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        self._land(message)

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        self._processed.discard(delivery_of(message))

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        self._processed.discard(delivery_of(message))
