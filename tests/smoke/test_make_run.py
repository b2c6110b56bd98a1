"""Tests `make run` from a new user's perspective. `make smoke` starts it once, on the default ports."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from financehub_shared.core.catalog import CATALOG
from support.waiting import eventually

ROOT = Path(__file__).parents[2]
CLI = str(ROOT / ".venv/bin/financehub")
#: Seconds within which everything must run. `make bench ONLY=startup` measures the goal of 15 s for a warm start.
START_LIMIT_SECONDS = 180


def cli(*arguments: str) -> Any:
    """Run the CLI with --json and return the result."""
    done = subprocess.run([CLI, *arguments, "--json"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def health() -> Any:
    """Return the health endpoint's response, or None if there is no response."""
    done = subprocess.run(
        ["curl", "--silent", "--max-time", "5", "http://localhost:8000/api/health/"],
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file for the output of `make run`."""
    return tmp_path_factory.mktemp("smoke") / "output"


@pytest.fixture(scope="module", autouse=True)
def running(output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start `make run` and wait until it is up."""
    with output.open("wb") as out:
        process = subprocess.Popen(["make", "run"], cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    try:
        limit = time.monotonic() + START_LIMIT_SECONDS
        while "FinanceHub is up" not in output.read_text(errors="replace"):
            assert process.poll() is None, output.read_text()[-3_000:]
            assert time.monotonic() < limit, output.read_text()[-3_000:]
            time.sleep(0.5)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=120)


def test_health_of_a_fresh_start_is_ok() -> None:
    """The health endpoint reports ok and its checks."""
    report = eventually(lambda: (found := health()) and found["status"] == "ok" and found, "the health is ok", 180)
    assert report["checks"]


def test_address_of_the_console_is_printed_first(output: Path) -> None:
    """The first address in the line that says that FinanceHub is up is that of the console."""
    (line,) = re.findall("^.*FinanceHub is up.*$", output.read_text(errors="replace"), re.MULTILINE)
    assert re.findall(r"https?://\S+", line)[:1] == ["http://localhost:8000/"]


def test_console_is_served() -> None:
    """The console says whether everything is all right, and that the data is simulated."""

    def page() -> str:
        done = subprocess.run(["curl", "--silent", "--fail", "http://localhost:8000/"], capture_output=True, check=True)
        return done.stdout.decode()

    eventually(lambda: "Everything is all right." in page(), "everything is all right", 180)
    assert "Simulated data." in page()


def test_quotes_of_all_assets_are_simulated() -> None:
    """Every active asset has a quote, and every quote is marked as simulated."""
    quotes = cli("quotes")
    assert {quote["symbol"] for quote in quotes} == {asset["symbol"] for asset in cli("assets", "list")}
    assert all(quote["provider"].startswith("simulated/") for quote in quotes)


def test_indicators_exist_for_all_assets() -> None:
    """Every active asset has indicators."""
    assert {row["symbol"] for row in cli("indicators")} == {asset["symbol"] for asset in cli("assets", "list")}


def test_news_has_several_sources() -> None:
    """There are news items from more than one source."""
    assert len({item["source"] for item in cli("news")}) > 1


def test_schedules_list_shows_the_default_schedules() -> None:
    """The CLI lists one default schedule of each task with its next run."""
    schedules = cli("schedules", "list")
    assert {schedule["task"] for schedule in schedules} == set(CATALOG)
    assert len(schedules) == len(CATALOG)
    assert all(schedule["next"] for schedule in schedules)


def test_run_command_reports_the_outcome() -> None:
    """`financehub run` enqueues a run, waits until it ends and reports the outcome."""
    run = cli("run", "fetch_crypto_prices_task", "--arg", 'symbols=["BTC-USD"]')
    assert run["state"] == "succeeded", run
    assert run["summary"]["stored"] == 1


def test_metrics_of_every_process_are_served() -> None:
    """The tiers, the scheduler and the console serve Prometheus metrics on consecutive ports."""
    for port in range(8001, 8006):
        done = subprocess.run(
            ["curl", "--silent", "--fail", f"http://localhost:{port}/metrics"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "financehub_build_info" in done.stdout


def test_ctrl_c_ends_all_processes(running: "subprocess.Popen[bytes]", output: Path) -> None:
    """After Ctrl-C, `make run` exits and leaves no process behind."""
    os.killpg(running.pid, signal.SIGINT)
    running.wait(timeout=120)
    text = output.read_text(errors="replace")
    assert "sending SIGKILL" not in text
    started = {int(pid) for pid in re.findall(r"started \(pid=(\d+)\)", text)}
    assert len(started) == 5
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert health() is None
