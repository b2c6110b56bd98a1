"""Tests of the `workers` command: the live processes, and their runs in progress."""

import time
from typing import Any

import redis

from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.monitor.record_writer import RecordWriter
from support.run_events import start_event


def test_workers_lists_versions_and_runs_of_live_processes(cli: Any, invoke: Any, redis_client: redis.Redis):
    """Each process has its release, its state and its runs; the table names the newest ones."""
    now = time.time()
    registry = ProcessRegistry(redis_client)
    registry.write_heartbeat(ProcessInfo("p-1", "high", "alpha", 1, now - 60, now, ("high",), 8, 5, version="1.2.3"))
    registry.write_heartbeat(ProcessInfo("p-2", "scheduler", "beta", 2, now - 60, now, draining=True))
    writer = RecordWriter(redis_client, time.monotonic, 86_400)
    for number in range(5):
        writer.record_start(start_event(f"run-{number}", worker="p-1", started_at=now - 90 - number))
    writer.flush()
    worker, scheduler = cli("workers")
    assert (worker["tier"], worker["version"], worker["draining"]) == ("high", "1.2.3", False)
    assert [run["message_id"] for run in worker["running"]] == [f"run-{number}" for number in range(5)]
    assert (scheduler["tier"], scheduler["draining"], scheduler["running"]) == ("scheduler", True, [])
    shown = " ".join(invoke("workers").stdout.split())
    assert "1.2.3 live 5/8 task for 1m 3" in shown
    assert "2 more" in shown
    assert "draining" in shown


def test_workers_without_a_process_says_so(cli: Any, invoke: Any):
    """An empty list is explained on stderr."""
    assert cli("workers") == []
    assert "no process has a heartbeat" in invoke("workers").stderr
