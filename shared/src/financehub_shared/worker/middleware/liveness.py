"""Whether a process makes progress; while Redis is away it is not ready, which is no reason to restart it."""

import threading
from collections.abc import Callable

from dramatiq import Broker, Middleware, Worker
from dramatiq.worker import ConsumerThread

from financehub_shared.core.clock import Clock
from financehub_shared.worker.middleware.in_flight import InFlight

#: Added to a task's limit: dramatiq's interrupt comes up to 1 s late and lands when C code returns.
LIMIT_MARGIN_SECONDS = 30.0
#: A consumer looks at its queue every second; while Redis hangs, once per socket timeout.
STALL_SECONDS = 60.0


class Liveness(Middleware):
    """Watches the consumer loops and the tasks of one dramatiq worker.

    Args:
        flights: what runs in this process.
        clock: measures the pauses.
    """

    def __init__(self, flights: InFlight, clock: Clock) -> None:
        self._flights = flights
        self._clock = clock
        self._worker: Worker | None = None
        self._ticks: dict[str, float] = {}
        #: Queues whose consumer has not had an answer of Redis since it was opened.
        self._away: set[str] = set()
        self._lock = threading.Lock()

    def after_consumer_thread_boot(self, broker: Broker, thread: ConsumerThread) -> None:
        # Called at every turn of the loop, and by its error path; dramatiq has no hook for either.
        queue = thread.queue_name
        thread.handle_delayed_messages = self._ticking(queue, thread.handle_delayed_messages, answered=True)  # type: ignore[method-assign]
        thread.close = self._ticking(queue, thread.close, answered=False)  # type: ignore[method-assign]
        self.tick(queue, answered=False)

    def _ticking(self, queue: str, call: Callable[[], None], *, answered: bool) -> Callable[[], None]:
        def tick() -> None:
            self.tick(queue, answered=answered)
            call()

        return tick

    def tick(self, queue: str, *, answered: bool) -> None:
        """Note that the loop of a consumer came round, with an answer of Redis or without."""
        with self._lock:
            self._ticks[queue] = self._clock.monotonic()
            (self._away.discard if answered else self._away.add)(queue)

    def ticks(self) -> dict[str, float]:
        """When each loop last came round, monotonic seconds."""
        with self._lock:
            return dict(self._ticks)

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._worker = worker

    def ready(self) -> list[str]:
        """Why the worker takes no messages; empty if it does."""
        if self._flights.draining:
            return ["draining: it finishes what it has and takes nothing new"]
        if self._worker is None:
            return ["starting: the worker has not booted"]
        with self._lock:
            return [
                f"the consumer of {queue} has no connection to Redis; the log says why" for queue in sorted(self._away)
            ]

    def live(self) -> list[str]:
        """Why the process should be restarted; empty if it should not."""
        now = self._clock.monotonic()
        problems = [
            f"{flight.task} has run for {now - flight.started:.0f} s; its limit is {flight.time_limit:.0f} s"
            for flight in self._flights.now()
            if now - flight.started > flight.time_limit + LIMIT_MARGIN_SECONDS
        ]
        if self._worker is None or self._flights.draining:
            return problems
        problems += [
            f"the consumer of {queue} has not come round for {now - at:.0f} s"
            for queue, at in self.ticks().items()
            if now - at > STALL_SECONDS
        ]
        threads = [*self._worker.workers, *self._worker.consumers.values()]
        problems += [f"thread {thread.name} has died" for thread in threads if not thread.is_alive()]
        return problems
