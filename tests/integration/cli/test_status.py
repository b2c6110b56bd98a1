"""Tests of the `status` command: the state of the fleet, and an exit code for scripts."""

import re
import time
from itertools import pairwise
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.core.catalog import Tier
from financehub_shared.health import checker
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.market.redis_store import RedisStore


def write_heartbeats(client: redis.Redis) -> None:
    """Write the heartbeat of one worker per tier and of one scheduler."""
    now = time.time()
    for number, tier in enumerate([*Tier, "scheduler"]):
        info = ProcessInfo(f"p{number}", str(tier), "host", number, now, now, (str(tier),), threads=4, busy=1)
        ProcessRegistry(client).write_heartbeat(info)


def test_status_without_processes_is_down_and_exits_with_1(cli: Any):
    """Without any process the fleet is down, and every missing tier and scheduler is a problem."""
    report = cli("status", code=1)
    assert report["status"] == "down"
    assert any(problem.startswith("tier:high: ") for problem in report["problems"])
    assert any(problem.startswith("scheduler: ") for problem in report["problems"])


def test_status_page_has_no_table_without_rows(invoke: Any):
    """On an empty Redis, there are tiers and queues, and no headings without a line below them."""
    lines = invoke("status").stdout.splitlines()
    for line, following in pairwise([*lines, ""]):
        if re.match(r"(tier|queue|schedule|data|breaker) ", line):
            assert following.strip(), line
    assert not [line for line in lines if line.startswith(("schedule ", "data ", "breaker "))]


def test_status_of_healthy_fleet_is_ok_and_exits_with_0(
    cli: Any, invoke: Any, store: RedisStore, redis_client: redis.Redis
):
    """If every tier is alive and all data is fresh, there is no problem, and tiers and freshness are listed."""
    write_heartbeats(redis_client)
    datasets = {"quotes:crypto", "quotes:stock", "news", "bars", "indicators"}
    for dataset in datasets:
        store.mark_success(dataset, "simulated/all", time.time())
    report = cli("status")
    assert (report["status"], report["problems"]) == ("ok", [])
    assert {(tier["tier"], tier["processes"], tier["busy"], tier["threads"]) for tier in report["tiers"]} == {
        (tier, 1, 1, 4) for tier in ("high", "medium", "low", "scheduler")
    }
    assert {entry["dataset"] for entry in report["freshness"]} == datasets
    assert not any(entry["stale"] for entry in report["freshness"])
    assert report["at"].endswith("Z")
    shown = invoke("status").stdout
    for part in ("ok", "high", "scheduler", "quotes:crypto", "simulated/all"):
        assert part in shown


def test_status_with_stale_data_and_open_breaker_is_degraded(
    cli: Any, invoke: Any, store: RedisStore, redis_client: redis.Redis
):
    """Stale data and open breakers are problems with a reason, both in the JSON and in the plain output."""
    write_heartbeats(redis_client)
    store.mark_success("quotes:crypto", "binance", time.time() - 86_400)
    cli("breakers", "open", "binance")
    report = cli("status", code=1)
    assert report["status"] == "degraded"
    assert report["breakers"] == [{"upstream": "binance", "state": "open", "reason": "forced"}]
    assert [entry["stale"] for entry in report["freshness"]] == [True]
    assert any("data:quotes:crypto: stale" in problem for problem in report["problems"])
    assert "! provider:binance: circuit breaker open" in invoke("status").stdout


def test_status_survives_an_error_of_the_checks(
    cli: Any, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of our own code is a problem, and the page shows everything that it read."""

    def fail(_: object) -> None:
        raise OverflowError("cannot convert float infinity to integer")

    monkeypatch.setattr(checker, "evaluate", fail)
    write_heartbeats(redis_client)
    with capture_logs() as logs:
        report = cli("status", code=1)
    (problem,) = report["problems"]
    assert problem.startswith("report: the report failed, which is an error of FinanceHub: OverflowError")
    assert len(report["tiers"]) == len([*Tier, "scheduler"])
    assert [entry["event"] for entry in logs] == ["health_report_failed"]
