"""The control plane of a run: who has it, how long it lasts, and what happens where it cannot be had."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from support.processes import end, launch

TESTS = Path(__file__).parents[2]

#: A process that tells the address of a folder's control plane and keeps it until it is killed.
SHARER = """
import signal, sys
from pathlib import Path
from test_cluster.control_plane.shared import shared_control_plane

with shared_control_plane(Path(sys.argv[1])) as cluster:
    print(cluster.server, flush=True)
    signal.pause()
"""


def share(directory: Path) -> "subprocess.Popen[str]":
    """Start such a process."""
    command = [sys.executable, "-c", SHARER, str(directory)]
    return launch(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent / "tools/test-cluster")))},
        text=True,
        stdout=subprocess.PIPE,
    )


def answers(server: str) -> bool:
    """Whether an API server says to a stranger that it is ready."""
    try:
        return httpx.get(f"{server}/readyz", verify=False, trust_env=False).is_success  # noqa: S501 — its CA is not ours
    except httpx.TransportError:
        return False


@pytest.mark.usefixtures("control_plane")
def test_control_plane_lasts_as_long_as_anybody_needs_it(tmp_path: Path) -> None:
    """Processes of a run share one control plane; it outlives the one that started it and ends with the last."""
    with share(tmp_path / "run") as first, share(tmp_path / "run") as second:
        try:
            assert first.stdout
            assert second.stdout
            server = first.stdout.readline()
            assert second.stdout.readline() == server
            first.send_signal(signal.SIGKILL)
            first.wait()
            assert answers(server.strip())
        finally:
            end(first)
            end(second)
    limit = time.monotonic() + 30
    while answers(server.strip()):
        assert time.monotonic() < limit, "it goes on although nobody needs it"
        time.sleep(0.05)


@pytest.mark.parametrize(("ci", "verdict"), [("", "SKIPPED"), ("true", "ERROR")])
def test_without_binaries_tests_skip_on_a_laptop_and_fail_in_ci(tmp_path: Path, ci: str, verdict: str) -> None:
    """Where no API server can be had, its tests are skipped, or fail where CI is set; one line says what to do."""
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
