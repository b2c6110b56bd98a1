"""Run records while Redis is killed, hung or full, and when the process stops in the meantime."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Message

from financehub_shared.core.settings import load_settings
from financehub_shared.monitor import RunState
from financehub_shared.redis import keys
from financehub_shared.worker.build import build_broker
from support.observed import ObservedWorker
from support.processes import end, launch
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.run_events import end_event
from support.waiting import eventually

pytestmark = pytest.mark.faults

TESTS = Path(__file__).parents[2]
SHUTDOWN_MS = 3_000


@dataclass
class Worker:
    """A `dramatiq support.observed` process."""

    process: Any
    output: Path

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of an event."""
        # The process may be writing the last line.
        complete = self.output.read_text().rpartition("\n")[0]
        found = [json.loads(line) for line in complete.splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Worker]]:
    """Return a function that starts a worker, which is killed after the test."""
    workers: list[Worker] = []

    def run(url: str) -> Worker:
        output = tmp_path / f"worker-{len(workers)}.log"
        fixed = {"OBSERVED_WORKER": "1", "PYTHONPATH": str(TESTS), "REDIS_URL": url, "FINANCEHUB_HTTP_PORT": "0"}
        command = [sys.executable, "-m", "dramatiq", "support.observed", "-p", "1", "-t", "4", "--skip-logging"]
        command += ["--worker-shutdown-timeout", str(SHUTDOWN_MS)]
        with output.open("wb") as file:
            process = launch(command, env=os.environ | fixed, stdout=file, stderr=file, start_new_session=True)
        workers.append(Worker(process, output))
        return workers[-1]

    yield run
    for worker in workers:
        end(worker.process)


@pytest.mark.parametrize("fault", ["killed", "hung"])
def test_events_of_a_process_that_stops_in_an_outage_are_logged_as_lost(
    redis_server: Callable[..., RedisServer], start: Callable[[str], Worker], fault: str
) -> None:
    """After SIGTERM in an outage of Redis, the process ends in time, and a line says how many events are lost."""
    server = redis_server()
    client = server.client()
    broker = build_broker(load_settings({"REDIS_URL": server.url}))
    worker = start(server.url)
    for _ in range(3):
        broker.enqueue(Message("high", "wait", (), {}, {}))
    eventually(lambda: client.llen("began") == 3)
    # The tasks poll Redis, so they fail in the outage.
    server.kill() if fault == "killed" else server.hang()
    eventually(lambda: worker.lines("run_records_unavailable"))
    eventually(lambda: len(worker.lines("task_retrying")) == 3)
    stopped_at = time.monotonic()
    worker.process.terminate()
    worker.process.wait(60)
    assert time.monotonic() - stopped_at < 45
    (lost,) = worker.lines("run_events_lost")
    assert (lost["reason"], lost["level"]) == ("exit", "error")
    assert lost["count"] >= 3
    assert lost["problem"]


@pytest.mark.parametrize("kind", SERVERS)
def test_records_of_an_outage_are_written_in_order_and_counted_once(
    redis_server: Callable[..., RedisServer], kind: str
) -> None:
    """Runs that end while Redis refuses all writes are recorded afterwards, in order, and none twice."""
    server = redis_server(server=kind)
    fleet = ObservedWorker(server.url)
    fleet.client.hset(keys.schedule("uid"), mapping={"fingerprint": "f"})
    writer = fleet.observers.run_recorder._writer  # type: ignore[attr-defined]
    ends = []
    for number in range(2_000):
        outcome = RunState.SUCCEEDED if number % 2 else RunState.DEAD_LETTERED
        ends.append(end_event(f"r-{number}", outcome=outcome, uid="uid", schedule="ns/s"))
    writer.start()
    fleet.client.config_set("min-replicas-to-write", 1)
    for event in ends[:1_000]:
        writer.record_end(event)
    assert fleet.client.hget(keys.task_stats("task"), "attempts") is None
    fleet.client.config_set("min-replicas-to-write", 0)
    for event in ends[1_000:]:
        writer.record_end(event)
    eventually(lambda: int(fleet.client.hget(keys.task_stats("task"), "attempts") or 0) == 2_000)
    writer.stop()
    stats = fleet.monitor.get_all_stats()["task"]
    assert (stats.succeeded, stats.dead_lettered) == (1_000, 1_000)
    record = fleet.client.hgetall(keys.schedule("uid"))
    assert (record[b"last_run_id"], record[b"ended"], record[b"failures"]) == (b"r-1999", b"2000", b"1000")
    assert fleet.metrics.registry.get_sample_value("financehub_run_events_lost_total", {"reason": "memory"}) == 0


def test_records_of_a_hung_redis_are_counted_once(redis_server: Callable[..., RedisServer]) -> None:
    """An end whose reply is lost is sent again, although Redis recorded it. It counts once."""
    server = redis_server()
    fleet = ObservedWorker(server.url)
    writer = fleet.observers.run_recorder._writer  # type: ignore[attr-defined]
    writer.start()
    writer.record_end(end_event("r-0"))
    server.hang()
    for number in range(1, 300):
        writer.record_end(end_event(f"r-{number}", outcome=RunState.RETRYING))
    assert writer._outage.active
    server.resume()  # it now runs the call whose reply nobody awaits
    eventually(lambda: int(fleet.client.hget(keys.task_stats("task"), "attempts") or 0) >= 300)
    writer.stop()
    assert fleet.client.hget(keys.task_stats("task"), "attempts") == b"300"
    assert fleet.client.hget(keys.task_stats("task"), "retried") == b"299"


def test_threads_whose_runs_end_in_a_hung_redis_wait_together(
    redis_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one thread waits for a reply. The others do not wait for their own timeouts one after the other."""
    server = redis_server()
    writer = ObservedWorker(server.url).observers.run_recorder._writer  # type: ignore[attr-defined]
    calls: list[int] = []
    send = writer._send

    def counted(events: list[str], *settlements: Any) -> Any:
        calls.append(len(events))
        return send(events, *settlements)

    monkeypatch.setattr(writer, "_send", counted)
    server.hang()
    threads = [threading.Thread(target=writer.record_end, args=(end_event(f"r-{number}"),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    server.resume()
    writer.flush()
    assert sum(calls[1:]) == 8
