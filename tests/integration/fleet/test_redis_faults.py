"""Redis fails under a running fleet."""

import time
from collections.abc import Callable

import pytest

from integration.fleet.conftest import StartFleet
from support.fleet import Fleet, eventually
from support.redis_server import RedisServer

TASK = "cleanup_old_cache_task"


def killed(server: RedisServer) -> None:
    """SIGKILL, a second of nothing, restart from the AOF."""
    server.kill()
    time.sleep(1)
    server.start()


def hung(server: RedisServer) -> None:
    """SIGSTOP for longer than a command may take (5 s)."""
    server.hang()
    time.sleep(7)
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
    """Enqueued by the schedule, succeeded at the worker."""
    schedule = fleet.cli("schedules", "show", "default/every-second")
    stats = fleet.cli("stats", TASK)
    return {"enqueued": schedule["runs"], "missed": schedule["missed"], "succeeded": stats[0]["succeeded"]}


@pytest.mark.parametrize("fault", [killed, hung, readonly, out_of_memory])
def test_a_fault_of_redis_loses_no_message_and_doubles_no_run(
    fleet: StartFleet, fault: Callable[[RedisServer], None]
) -> None:
    """Through the fault and after it every due second is enqueued once and succeeds, and no process is restarted."""
    running = fleet()
    running.schedule("every-second", TASK, "@every 1s", "  catchUp: All\n  concurrencyPolicy: Allow\n")
    running.start_scheduler()
    running.start_tier("low")
    eventually("runs succeed", lambda: running.cli("stats", TASK) and runs(running)["succeeded"] >= 2)
    first = time.time()

    fault(running.server)

    def caught_up() -> bool:
        now = runs(running)
        return now["enqueued"] >= 2 + int(time.time() - first) and now["succeeded"] >= now["enqueued"] - 1

    eventually("all due runs are enqueued and succeed", caught_up)
    (running.schedules / "every-second.yaml").write_text(
        (running.schedules / "every-second.yaml").read_text() + "  suspend: true\n"
    )
    eventually("suspended", lambda: running.cli("schedules", "show", "default/every-second")["suspended"])
    settled = eventually("nothing is under way", lambda: (now := runs(running))["enqueued"] == now["succeeded"] and now)
    assert settled["missed"] == 0
    dues = [run["due_at"] for run in running.cli("schedules", "show", "default/every-second")["recent"]]
    assert len(set(dues)) == len(dues)
    assert all(running.running(name) for name in ("scheduler", "low"))
