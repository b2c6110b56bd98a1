"""Redis fails under a running fleet."""

import time
from collections.abc import Callable

import pytest

from financehub_shared.monitor import TaskMonitor
from financehub_shared.schedules import list_schedules, show_schedule
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet, eventually
from support.redis_server import RedisServer

TASK = "cleanup_old_cache_task"
NAME = "default/every-second"


def killed(server: RedisServer) -> None:
    """SIGKILL, a second of nothing, restart from the AOF."""
    server.kill()
    time.sleep(1)
    server.start()


def hung(server: RedisServer) -> None:
    """SIGSTOP for 20 s, four times as long as a command may take."""
    server.hang()
    time.sleep(20)
    server.resume()


def readonly(server: RedisServer) -> None:
    """What a client sees that still talks to the old master after a failover."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        time.sleep(2)
        client.replicaof("NO", "ONE")


def out_of_memory(server: RedisServer) -> None:
    """`noeviction` at its limit: reads go on, writes are refused."""
    with server.client() as client:
        client.config_set("maxmemory", "1")
        time.sleep(2)
        client.config_set("maxmemory", "0")


def runs(fleet: Fleet) -> dict[str, int]:
    """Enqueued and missed by the schedule, succeeded at the worker; zeros while it is not known."""
    with fleet.redis() as client:
        known = [schedule for schedule in list_schedules(client) if schedule.name == NAME]
        stats = TaskMonitor(client).get_all_stats().get(TASK)
    if not known or stats is None:
        return {"enqueued": 0, "missed": 0, "succeeded": 0}
    return {"enqueued": known[0].runs, "missed": known[0].missed, "succeeded": stats.succeeded}


@pytest.mark.parametrize("fault", [killed, hung, readonly, out_of_memory])
def test_a_fault_of_redis_loses_no_message_and_doubles_no_run(
    fleet: StartFleet, fault: Callable[[RedisServer], None]
) -> None:
    """Through the fault and after it every due second is enqueued once and succeeds, and no process is restarted."""
    running = fleet()
    running.schedule("every-second", TASK, "@every 1s", "  catchUp: All\n  concurrencyPolicy: Allow\n")
    running.start_scheduler()
    running.start_tier("low")
    eventually("runs succeed", lambda: runs(running)["succeeded"] >= 2)
    first = time.time()

    fault(running.server)

    def caught_up() -> bool:
        now = runs(running)
        return now["enqueued"] >= 2 + int(time.time() - first) and now["succeeded"] >= now["enqueued"] - 1

    eventually("all due runs are enqueued and succeed", caught_up)
    (running.schedules / "every-second.yaml").write_text(
        (running.schedules / "every-second.yaml").read_text() + "  suspend: true\n"
    )
    with running.redis() as client:
        eventually("suspended", lambda: show_schedule(client, NAME).suspended)
    settled = eventually("nothing is under way", lambda: (now := runs(running))["enqueued"] == now["succeeded"] and now)
    assert settled["missed"] == 0
    assert all(running.running(name) for name in ("scheduler", "low"))
