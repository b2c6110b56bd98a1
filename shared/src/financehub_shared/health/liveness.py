"""Whether a process makes progress; Redis being away is no reason to restart it."""

import threading
from collections.abc import Callable

from dramatiq import Broker, Middleware, Worker
from dramatiq.worker import ConsumerThread

from financehub_shared.clock import Clock
from financehub_shared.monitor.inflight import InFlight

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
        self._lock = threading.Lock()

    def after_consumer_thread_boot(self, broker: Broker, thread: ConsumerThread) -> None:
        # Called at every turn of the loop, and by its error path; dramatiq has no hook for either.
        thread.handle_delayed_messages = self._ticking(thread.queue_name, thread.handle_delayed_messages)  # type: ignore[method-assign]
        thread.close = self._ticking(thread.queue_name, thread.close)  # type: ignore[method-assign]

    def _ticking(self, queue: str, call: Callable[[], None]) -> Callable[[], None]:
        def tick() -> None:
            self.tick(queue)
            call()

        self.tick(queue)
        return tick

    def tick(self, loop: str) -> None:
        """Note that a loop came round."""
        with self._lock:
            self._ticks[loop] = self._clock.monotonic()

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
        return [] if self._worker is not None else ["starting: the worker has not booted"]

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
