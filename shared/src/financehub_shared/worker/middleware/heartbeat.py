"""Middleware that sends a worker process's heartbeats."""

from collections.abc import Callable
from dataclasses import replace

from dramatiq import Broker, Middleware, Worker

from financehub_shared.health.processes import Heartbeat, ProcessInfo, ProcessRegistry
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker


class WorkerHeartbeat(Middleware):
    """Sends heartbeats while a dramatiq worker runs, including the drain at shutdown.

    Args:
        registry: Registry of live processes.
        identity: Fixed facts about this process.
        attempts: Attempts in progress in this process.
        clock: Provides the times of the heartbeats.
        observe: Receives the duration of each heartbeat in seconds.
    """

    def __init__(
        self,
        registry: ProcessRegistry,
        identity: ProcessInfo,
        attempts: AttemptTracker,
        clock: ServerClock,
        observe: Callable[[float], None],
    ) -> None:
        self._identity = identity
        self._attempts = attempts
        self._heartbeat = Heartbeat(registry, self._describe, clock, observe)

    def _describe(self) -> ProcessInfo:
        return replace(
            self._identity,
            queues=self._attempts.queues,
            actors=self._attempts.actors,
            threads=self._attempts.threads,
            busy=len(self._attempts.running()),
            draining=self._attempts.draining,
        )

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._heartbeat.start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._heartbeat.stop()
