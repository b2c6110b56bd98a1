"""A fleet whose machine reaches no upstream: what a new user without a network sees."""

import json
from typing import Any

from financehub_shared.core.errors import NO_UPSTREAM
from financehub_shared.monitor import RunState, TaskMonitor
from integration.fleet.conftest import StartFleet
from support.redis_server import free_port
from support.waiting import eventually

TASK = "fetch_crypto_prices_task"


def test_fleet_without_a_network_says_so_once(fleet: StartFleet) -> None:
    """The log, the run record and `financehub status` name the cause in one sentence, and nothing is a surprise."""
    closed = f"http://127.0.0.1:{free_port()}"
    urls = {f"FINANCEHUB_{name}_URL": closed for name in ("BINANCE", "KRAKEN", "COINGECKO", "YAHOO")}
    running = fleet(**urls, DRAMATIQ_MAX_RETRIES="2", FINANCEHUB_LOG_LEVEL="INFO")
    running.schedule("crypto", TASK, "@every 2s")
    running.start_scheduler()
    running.start_tier("high")
    monitor = TaskMonitor(running.redis())

    def dead_lettered() -> list[Any]:
        return [run for run in monitor.get_recent_runs(TASK) if run.state is RunState.DEAD_LETTERED]

    run = eventually(dead_lettered, "a run is dead-lettered")[0]
    assert run.error.startswith("TaskFailedError: no quote of ")
    assert run.error.endswith(f"crypto assets: {NO_UPSTREAM}")
    lines = [json.loads(line) for line in running.log("high").splitlines() if line.startswith("{")]
    assert "Traceback" not in running.log("high")
    assert [line for line in lines if "exception" in line] == []
    events = [line["event"] for line in lines if line["level"] in {"warning", "error", "critical"}]
    assert events.count("upstreams_unavailable") == 1
    # Before the second upstream has failed, the network is not known to be the problem.
    assert events.count("provider_failed") <= 2
    assert {line["logger"].partition(".")[0] for line in lines if line["level"] != "info"} == {"financehub_shared"}
    status = running.cli("status", code=1)
    assert len([problem for problem in status["problems"] if NO_UPSTREAM in problem]) == 1
