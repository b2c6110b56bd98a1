"""Middleware that keeps the heartbeat of a worker process going."""

from collections.abc import Callable
from dataclasses import replace

from dramatiq import Broker, Middleware, Worker

from financehub_shared.core.clock import Clock
from financehub_shared.health.workers import Heartbeat, ProcessInfo, WorkerRegistry
from financehub_shared.worker.middleware.in_flight import InFlight


class WorkerHeartbeat(Middleware):
    """Beats while a dramatiq worker runs, through the drain.

    Args:
        registry: where to.
        identity: the process.
        flights: what runs in it.
        clock: stamps the beats.
        observe: receives the seconds that each beat took.
    """

    def __init__(
        self,
        registry: WorkerRegistry,
        identity: ProcessInfo,
        flights: InFlight,
        clock: Clock,
        observe: Callable[[float], None],
    ) -> None:
        self._identity = identity
        self._flights = flights
        self._heartbeat = Heartbeat(registry, self._describe, clock, observe)

    def _describe(self) -> ProcessInfo:
        flights = self._flights
        return replace(
            self._identity,
            queues=flights.queues,
            threads=flights.threads,
            busy=len(flights.now()),
            draining=flights.draining,
        )

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._heartbeat.start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._heartbeat.stop()
