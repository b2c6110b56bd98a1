"""`make run` as a new user meets it: `make smoke` starts it once, on the default ports, and looks at everything."""

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

ROOT = Path(__file__).parents[2]
CLI = str(ROOT / ".venv/bin/financehub")
#: Seconds until everything must be there; the goal of 15 s warm is measured by `make bench ONLY=startup`.
LIMIT = 90


def cli(*arguments: str) -> Any:
    """What the CLI says with --json."""
    done = subprocess.run([CLI, *arguments, "--json"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def health() -> Any:
    """What curl gets from the health endpoint, None while nothing answers."""
    done = subprocess.run(
        ["curl", "--silent", "--max-time", "5", "http://localhost:8000/api/health/"],
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the output of `make run` goes."""
    return tmp_path_factory.mktemp("smoke") / "output"


@pytest.fixture(scope="module", autouse=True)
def running(output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`make run`, up and healthy."""
    with output.open("wb") as out:
        process = subprocess.Popen(["make", "run"], cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    try:
        limit = time.monotonic() + LIMIT
        while "FinanceHub is up" not in output.read_text(errors="replace"):
            assert process.poll() is None, output.read_text()[-3_000:]
            assert time.monotonic() < limit, output.read_text()[-3_000:]
            time.sleep(0.5)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)


def test_health_is_ok_and_names_its_checks() -> None:
    """The health endpoint says ok, with a reason per check."""
    report = health()
    assert report["status"] == "ok", report
    assert report["checks"]


def test_every_active_asset_has_a_quote_of_a_simulated_provider() -> None:
    """Quotes of all active assets are there, and none can pass for market data."""
    quotes = cli("quotes")
    assert {quote["symbol"] for quote in quotes} == {asset["symbol"] for asset in cli("assets", "list")}
    assert all(quote["provider"].startswith("simulated/") for quote in quotes)


def test_every_active_asset_has_indicators() -> None:
    """Indicators of all active assets are there."""
    assert {row["symbol"] for row in cli("indicators")} == {asset["symbol"] for asset in cli("assets", "list")}


def test_news_is_there() -> None:
    """Articles of more than one source are there."""
    assert len({item["source"] for item in cli("news")}) > 1


def test_all_seven_schedules_are_known() -> None:
    """The CLI lists the seven default schedules with their next run."""
    schedules = cli("schedules", "list")
    assert len(schedules) == 7
    assert all(schedule["next"] for schedule in schedules)


def test_a_task_can_be_run_by_hand_and_is_followed_to_its_outcome() -> None:
    """`financehub run` enqueues, waits and reports the outcome."""
    run = cli("run", "fetch_crypto_prices_task", "--arg", 'symbols=["BTC-USD"]')
    assert run["state"] == "succeeded", run
    assert run["summary"]["stored"] == 1


def test_metrics_are_served_by_every_process() -> None:
    """Scheduler and tiers serve Prometheus metrics on consecutive ports."""
    for port in range(8000, 8004):
        done = subprocess.run(
            ["curl", "--silent", "--fail", f"http://localhost:{port}/metrics"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "financehub_build_info" in done.stdout


def test_ctrl_c_drains_and_leaves_nothing_behind(running: "subprocess.Popen[bytes]", output: Path) -> None:
    """After Ctrl-C `make run` ends by itself and none of its processes is left."""
    os.killpg(running.pid, signal.SIGINT)
    running.wait(timeout=60)
    text = output.read_text(errors="replace")
    assert "sending SIGKILL" not in text
    started = {int(pid) for pid in re.findall(r"started \(pid=(\d+)\)", text)}
    assert len(started) == 4
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert health() is None
