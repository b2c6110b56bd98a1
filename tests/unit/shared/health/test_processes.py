"""Records of processes that another program wrote, and a heartbeat whose code fails."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.health import checker
from financehub_shared.health.checker import HealthChecker
from financehub_shared.health.checks import FleetSnapshot, evaluate
from financehub_shared.health.processes import Heartbeat, ProcessInfo
from financehub_shared.redis.client import connect
from financehub_shared.redis.server_clock import ServerClock
from support.hostile_messages import HOSTILE_JSON

NOW = 1_800_000_000.0
INFO = ProcessInfo("h:1:a", "high", "h", 1, NOW, NOW, ("high",), 4, 1, clock_skew_seconds=60.0)


@pytest.mark.parametrize("token", HOSTILE_JSON)
@pytest.mark.parametrize("name", asdict(INFO))
def test_record_with_a_hostile_field_is_refused_or_harmless(name: str, token: str):
    """Whatever one field contains, the record is damaged, or the health report has finite numbers."""
    raw = json.dumps(asdict(INFO) | {name: "HERE"}).replace('"HERE"', token)
    try:
        info = ProcessInfo.from_json(raw.encode())
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return
    report = evaluate(FleetSnapshot(NOW, processes=[info], tiers=["high"]))
    json.dumps(report.as_dict(), allow_nan=False)


@pytest.mark.parametrize("seconds", [float("inf"), float("-inf"), float("nan"), 1e300])
def test_report_of_a_clock_that_no_calendar_shows_does_not_fail(seconds: float):
    """A record that reached the checks in another way still has a report."""
    assert evaluate(FleetSnapshot(NOW, processes=[replace(INFO, clock_skew_seconds=seconds)])).checks


def test_report_survives_an_error_of_the_checks(monkeypatch: pytest.MonkeyPatch):
    """An error of our own code is a check with its type, and one line in the log."""

    def fail(_: object) -> None:
        raise OverflowError("cannot convert float infinity to integer")

    monkeypatch.setattr(checker, "evaluate", fail)
    clock = ManualClock()
    client = connect("redis://127.0.0.1:1", retries=0, timeout=0.1)
    health = HealthChecker(client, client, SimpleNamespace(), list, clock)  # type: ignore[arg-type]
    with capture_logs() as logs:
        for _ in range(3):
            report = health.report()
            clock.advance(60)
    (problem,) = report.problems
    assert problem.startswith("report: the report failed, which is an error of FinanceHub: OverflowError: cannot")
    assert [entry["event"] for entry in logs] == ["health_report_failed"]


def test_heartbeat_with_an_unexpected_error_continues_and_logs_once():
    """An error that is not one of Redis does not end the thread, and each type is logged once."""
    errors = iter([ValueError("a"), ValueError("b"), KeyError("c"), None, ValueError("d")])
    written: list[str] = []

    def write(info: ProcessInfo) -> None:
        if (error := next(errors)) is not None:
            raise error
        written.append(info.id)

    registry = SimpleNamespace(write_heartbeat=write, remove=lambda _: None)
    heartbeat = Heartbeat(registry, lambda: INFO, ServerClock(ManualClock()), lambda _: None)  # type: ignore[arg-type]
    with capture_logs() as logs:
        for _ in range(5):
            heartbeat._try(heartbeat._write)
    assert written == [INFO.id]
    assert [entry["event"] for entry in logs] == ["heartbeat_failed"] * 2
