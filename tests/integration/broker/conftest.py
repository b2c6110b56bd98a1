"""Worker processes that end with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.workers import WorkerProcess


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Start a worker process: `start_worker(kind, url, threads=…, HEARTBEAT_MS=…)`."""
    workers: list[WorkerProcess] = []

    def start(kind: str, url: str, **options: object) -> WorkerProcess:
        log = tmp_path / f"{kind}-{len(workers)}.log"
        workers.append(WorkerProcess(kind, url, log, **options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()
