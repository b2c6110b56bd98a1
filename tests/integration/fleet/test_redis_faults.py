"""Tests of Redis faults while a fleet runs."""

import time
from collections.abc import Callable

import pytest

from financehub_shared.monitor import TaskMonitor
from financehub_shared.schedules import list_schedules, show_schedule
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = pytest.mark.faults

TASK = "cleanup_old_cache_task"
NAME = "default/every-second"


def killed(server: RedisServer) -> None:
    """Kill Redis with SIGKILL and restart it from the AOF after a second."""
    server.kill()
    time.sleep(1)
    server.start()


def hung(server: RedisServer) -> None:
    """Stop Redis with SIGSTOP for 20 s, four times as long as the timeout of a command."""
    server.hang()
    time.sleep(20)
    server.resume()


def readonly(server: RedisServer) -> None:
    """Make Redis read-only, as the old master is after a failover."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        time.sleep(2)
        client.replicaof("NO", "ONE")


def out_of_memory(server: RedisServer) -> None:
    """Make Redis refuse writes, as it does with `noeviction` at its memory limit."""
    with server.client() as client:
        client.config_set("maxmemory", "1")
        time.sleep(2)
        client.config_set("maxmemory", "0")


def runs(fleet: Fleet) -> dict[str, int]:
    """Return the numbers of enqueued, missed and succeeded runs, or zeros until the schedule and the task are known."""
    with fleet.redis() as client:
        known = [schedule for schedule in list_schedules(client) if schedule.name == NAME]
        stats = TaskMonitor(client).get_all_stats().get(TASK)
    if not known or stats is None:
        return {"enqueued": 0, "missed": 0, "succeeded": 0}
    return {"enqueued": known[0].runs, "missed": known[0].missed, "succeeded": stats.succeeded}


@pytest.mark.parametrize("fault", [killed, hung, readonly, out_of_memory])
def test_fault_of_redis_neither_loses_nor_duplicates_runs(
    fleet: StartFleet, fault: Callable[[RedisServer], None]
) -> None:
    """Each due time during and after the fault is enqueued once and succeeds, and no process is restarted."""
    running = fleet()
    running.schedule("every-second", TASK, "@every 1s", "  catchUp: All\n  concurrencyPolicy: Allow\n")
    running.start_scheduler()
    running.start_tier("low")
    eventually(lambda: runs(running)["succeeded"] >= 2, "runs succeed")
    started = time.time()

    fault(running.server)

    def caught_up() -> bool:
        counts = runs(running)
        expected = 2 + int(time.time() - started)
        return counts["enqueued"] >= expected and counts["succeeded"] >= counts["enqueued"] - 1

    eventually(caught_up, "all due runs are enqueued and succeed")
    (running.schedules / "every-second.yaml").write_text(
        (running.schedules / "every-second.yaml").read_text() + "  suspend: true\n"
    )
    with running.redis() as client:
        eventually(lambda: show_schedule(client, NAME).suspended, "suspended")
    settled = eventually(
        lambda: (counts := runs(running))["enqueued"] == counts["succeeded"] and counts, "no run is active"
    )
    assert settled["missed"] == 0
    assert all(running.running(name) for name in ("scheduler", "low"))
