"""Wrong settings at every entry point."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
TIERS = ["high", "medium", "low"]


def run(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run an entry point to its end."""
    env = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    "command",
    [
        *[[str(BIN / "dramatiq"), f"financehub_{tier}_priority.worker", "-p", "1", "-t", "1"] for tier in TIERS],
        [str(BIN / "financehub-scheduler"), "--schedules", "."],
        [str(BIN / "financehub"), "status"],
    ],
    ids=[*TIERS, "scheduler", "cli"],
)
def test_a_wrong_setting_ends_the_process_with_one_line(command: list[str]) -> None:
    """Every entry point ends with exit code 2 and one line naming variable, value and what is wrong, no traceback."""
    done = run(command, {"REDIS_PORT": "abc"})
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("financehub: ")]
    assert lines == [
        "financehub: REDIS_PORT='abc': Input should be a valid integer, unable to parse string as an integer"
    ]
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"FINANCEHUB_BREAKER_OPEN_SECONDS": "1000"},
            "FINANCEHUB_BREAKER_OPEN_MAX_SECONDS=600: must be at least FINANCEHUB_BREAKER_OPEN_SECONDS=1000",
        ),
        (
            {"FINANCEHUB_FINNHUB_API_KEY": "key\nwith-a-line"},
            "FINANCEHUB_FINNHUB_API_KEY: holds characters that no HTTP header can carry",
        ),
    ],
    ids=["breaker", "key"],
)
@pytest.mark.parametrize("tier", ["high", "medium"])
def test_a_setting_that_the_providers_refuse_does_too(tier: str, environment: dict[str, str], said: str) -> None:
    """What is found when providers are built ends a tier with the same one line."""
    done = run([sys.executable, "-m", f"financehub_{tier}_priority.worker"], environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"financehub: {said}\n"


def test_a_taken_port_ends_make_run_with_one_line() -> None:
    """`make run` beside something that listens on its port says which port and how to choose another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        script = Path(__file__).parents[3] / "deploy/local/run.py"
        done = run([sys.executable, str(script)], {"REDIS_PORT": port})
    assert done.returncode == 2
    assert (
        done.stderr
        == f"make run: port {port} (Redis) is in use; stop the process that uses it, or set REDIS_PORT to another port\n"
    )
