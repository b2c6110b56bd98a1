"""Tests of invalid settings at every entry point."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
TIERS = ["high", "medium", "low"]


def run(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run an entry point and wait until it ends."""
    env = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "command",
    [
        *[[str(BIN / "dramatiq"), f"financehub_{tier}_priority.worker", "-p", "1", "-t", "1"] for tier in TIERS],
        [str(BIN / "financehub-scheduler"), "--schedules", "."],
        [str(BIN / "financehub"), "status"],
    ],
    ids=[*TIERS, "scheduler", "cli"],
)
def test_entry_point_with_invalid_setting_exits_with_one_line(command: list[str]) -> None:
    """Every entry point exits with code 2 and one line that names variable, value and problem, without a traceback."""
    result = run(command, {"REDIS_PORT": "abc"})
    assert result.returncode == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("financehub: ")]
    assert lines == [
        "financehub: REDIS_PORT='abc': Input should be a valid integer, unable to parse string as an integer"
    ]
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        ([str(BIN / "dramatiq"), "financehub_high_priority.worker", "-p", "1", "-t", "1"], "REDIS_URL"),
        ([str(BIN / "financehub-scheduler"), "--schedules", "."], "DRAMATIQ_BROKER_URL"),
        ([str(BIN / "financehub-scheduler"), "--schedules", ".", "--broker", "redis://:hun/ter2@h"], ""),
        ([str(BIN / "financehub"), "status"], "REDIS_URL"),
    ],
    ids=["tier", "scheduler", "option", "cli"],
)
def test_entry_point_with_invalid_url_exits_with_one_line(command: list[str], variable: str) -> None:
    """A URL whose password contains an unescaped slash is refused, and no part of the password is shown."""
    result = run(command, {variable: "redis://:hun/ter2@h"} if variable else {})
    assert result.returncode == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("financehub: ")]
    assert len(lines) == 1
    assert "write @ as %40" in lines[0]
    assert not any(part in result.stdout + result.stderr for part in ("hun", "ter2", "Traceback"))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"FINANCEHUB_BREAKER_OPEN_SECONDS": "1000"},
            "FINANCEHUB_BREAKER_OPEN_MAX_SECONDS=600: must be at least FINANCEHUB_BREAKER_OPEN_SECONDS=1000",
        ),
        (
            {"FINANCEHUB_FINNHUB_API_KEY": "key\nwith-a-line"},
            "FINANCEHUB_FINNHUB_API_KEY: contains characters that an HTTP header cannot carry; correct the key",
        ),
    ],
    ids=["breaker", "key"],
)
@pytest.mark.parametrize("tier", ["high", "medium"])
def test_tier_with_setting_that_providers_refuse_exits_with_one_line(
    tier: str, environment: dict[str, str], message: str
) -> None:
    """A setting that is refused when the providers are built also makes a tier exit with one line."""
    result = run([sys.executable, "-m", f"financehub_{tier}_priority.worker"], environment)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"financehub: {message}\n"


def test_make_run_with_used_port_exits_with_one_line() -> None:
    """If a port is in use, `make run` exits with a line that names the port and the variable that changes it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        script = Path(__file__).parents[3] / "deploy/local/run.py"
        result = run([sys.executable, str(script)], {"REDIS_PORT": port})
    assert result.returncode == 2
    remedy = "stop the process that uses it, or set REDIS_PORT to another port"
    assert result.stderr == f"make run: port {port} (Redis) is in use; {remedy}\n"
