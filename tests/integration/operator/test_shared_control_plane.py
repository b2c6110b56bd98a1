"""Tests of the shared control plane: its lifetime, and how tests behave without its programs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from support.processes import end, launch
from support.waiting import eventually

TESTS = Path(__file__).parents[2]
PYTHON_PATH = f"{TESTS}{os.pathsep}{TESTS.parent / 'tools/test-cluster'}"

#: A program that prints the address of a folder's control plane and uses the control plane until it is killed.
USER_OF_THE_CONTROL_PLANE = """
import signal, sys
from pathlib import Path
from test_cluster.control_plane.shared import shared_control_plane

with shared_control_plane(Path(sys.argv[1])) as cluster:
    print(cluster.server, flush=True)
    signal.pause()
"""


def start_user(directory: Path) -> "subprocess.Popen[str]":
    """Start a process that uses a folder's control plane."""
    command = [sys.executable, "-c", USER_OF_THE_CONTROL_PLANE, str(directory)]
    return launch(command, env={**os.environ, "PYTHONPATH": PYTHON_PATH}, text=True, stdout=subprocess.PIPE)


def is_ready(server: str) -> bool:
    """Whether an API server reports that it is ready."""
    try:
        return httpx.get(f"{server}/readyz", verify=False, trust_env=False, timeout=30).is_success  # noqa: S501 — its own CA
    except httpx.TransportError:
        return False


@pytest.mark.usefixtures("control_plane")
def test_control_plane_lives_until_its_last_user_ends(tmp_path: Path) -> None:
    """A test run's processes share one control plane. It outlives its starter and stops with the last process."""
    with start_user(tmp_path / "run") as first, start_user(tmp_path / "run") as second:
        try:
            assert first.stdout
            assert second.stdout
            server = first.stdout.readline()
            assert second.stdout.readline() == server
            first.send_signal(signal.SIGKILL)
            first.wait()
            assert is_ready(server.strip())
        finally:
            end(first)
            end(second)
    eventually(lambda: not is_ready(server.strip()), "it ends, because no process uses it", within=120)


@pytest.mark.parametrize(("ci", "verdict"), [("", "SKIPPED"), ("true", "ERROR")])
def test_tests_without_binaries_skip_locally_and_fail_in_ci(tmp_path: Path, ci: str, verdict: str) -> None:
    """Without an API server, tests that need one are skipped, or fail if CI is set. One line names the remedy."""
    test = Path(__file__).with_name("test_control_plane.py")
    report = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            f"--basetemp={tmp_path / 'run'}",
            "-k",
            "token",
            test,
        ],
        env={"HOME": str(tmp_path), "PATH": str(tmp_path), "CI": ci},
        cwd=TESTS.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout
    lines = [line for line in report.splitlines() if line.startswith(verdict)]
    assert len(lines) == 1, report
    assert "kube-apiserver" in lines[0]
    assert "make binaries" in lines[0]
