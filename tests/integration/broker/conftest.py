"""Fixtures that start worker processes and stop them after the test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq
import dramatiq.worker
import pytest

from support.workers import WorkerProcess


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Return a function that starts a worker process: `start_worker(kind, url, threads=…, HEARTBEAT_MS=…)`."""
    workers: list[WorkerProcess] = []

    def start(kind: str, url: str, **options: object) -> WorkerProcess:
        log = tmp_path / f"{kind}-{len(workers)}.log"
        workers.append(WorkerProcess(kind, url, log, **options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Return a context manager that runs a worker in threads of this process, for faults that do not affect processes.

    Dramatiq's waits after a lost connection, for which it has no setting, are reduced.
    """
    monkeypatch.setattr(dramatiq.worker, "CONSUMER_RESTART_DELAY_SECS", 0.1)
    monkeypatch.setattr(dramatiq.worker, "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.1)

    @contextmanager
    def serve(broker: dramatiq.Broker, threads: int = 2) -> Iterator[dramatiq.Worker]:
        worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=100)
        broker.emit_after("process_boot")
        worker.start()
        try:
            yield worker
        finally:
            worker.stop(timeout=1_000)

    return serve
