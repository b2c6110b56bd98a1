"""A fleet whose Redis comes back empty declares everything again by itself (F8)."""

import sys
import time
from collections.abc import Callable

import pytest

from financehub_shared.health.processes import ProcessRegistry
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import TaskMonitor
from financehub_shared.schedules import list_schedules
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

TASK = "fetch_crypto_prices_task"
SYMBOLS = {"BTC-USD", "ETH-USD", "AAPL", "VOD.L"}
#: Four times what the documents promise, because the machine may be busy.
PATIENCE_SECONDS = 120.0


def flushed(server: RedisServer) -> None:
    """Delete everything, including the scripts."""
    with server.client() as client:
        client.flushall()
        client.script_flush()


def restarted(server: RedisServer) -> None:
    """Kill the server and start it again without its data."""
    server.kill()
    for path in server.directory.glob("appendonlydir/*"):
        path.unlink()
    server.start()


def replaced(server: RedisServer) -> None:
    """Kill the server, and some seconds later an empty one takes its address, as in a failover."""
    server.kill()
    for path in server.directory.glob("appendonlydir/*"):
        path.unlink()
    time.sleep(3)
    server.start()


def missing(fleet: Fleet) -> set[str]:
    """Return what is declared and not in Redis, and which schedule has not delivered."""
    with fleet.redis() as client:
        assets = {asset.symbol for asset in RedisStore(client).assets() if asset.declared}
        listed = {info.name: info for info in list_schedules(client)}
        wrong = {name for name in ("default/prices", "default/suspended") if name not in listed}
        if "default/suspended" in listed and not listed["default/suspended"].suspended:
            wrong.add("default/suspended is active")
        if "default/prices" in listed and not listed["default/prices"].next_times:
            wrong.add("next run of default/prices")
        stats = TaskMonitor(client).get_all_stats().get(TASK)
        if stats is None or not stats.succeeded:
            wrong.add("a run")
        if not RedisStore(client).quotes(["BTC-USD"]):
            wrong.add("a quote")
        tiers = {process.tier for process in ProcessRegistry(client).live()}
    return wrong | (SYMBOLS - assets) | ({"high", "scheduler"} - tiers)


@pytest.mark.parametrize("loss", [flushed, restarted, replaced])
def test_fleet_with_an_emptied_redis_declares_everything_again(fleet: StartFleet, loss: Callable[[RedisServer], None]):
    """Assets, schedules, processes, scripts and data return, and no process is restarted."""
    running = fleet()
    running.schedule("prices", TASK, "@every 1s")
    running.schedule("suspended", TASK, "@every 1s", "  suspend: true\n")
    running.start_scheduler()
    running.start_tier("high")
    eventually(lambda: not missing(running), "everything is declared", PATIENCE_SECONDS)
    pids = {name: running.pid(name) for name in ("scheduler", "high")}
    for _ in range(2):
        loss(running.server)
        started = time.monotonic()
        eventually(lambda: not missing(running), "everything is declared again", PATIENCE_SECONDS)
        seconds = time.monotonic() - started
        sys.stdout.write(f"{loss.__name__}: everything has returned after {seconds:.1f} s\n")
    assert pids == {name: running.pid(name) for name in pids}
    assert all(map(running.running, pids))
    log = running.log("scheduler")
    assert "declared_assets_lost" in log
    assert "Traceback" not in log + running.log("high")
