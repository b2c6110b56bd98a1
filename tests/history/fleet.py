"""The processes of a history on their nodes, and the record of their ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from history.events import Recorder
from history.lab import Lab
from support.processes import end, launch

TESTS = Path(__file__).parents[1]
_BIN = Path(sys.executable).parent
#: Seconds after which a worker without a heartbeat counts as dead, and between two rounds of the janitor.
HEARTBEAT_SECONDS, JANITOR_SECONDS = 10, 1
#: Seconds that a worker may take to end its runs. A longer run is interrupted.
_SHUTDOWN_MS = 4_000
WORKER_THREADS = 4


class Fleet:
    """Starts and ends processes. A node has one process group at a time.

    Args:
        lab: The network.
        folder: Folder of the events and logs.
        url: URL of Redis.
        recorder: Records the ends of processes.
        settings: Additional environment variables of all processes.
    """

    def __init__(self, lab: Lab, folder: Path, url: str, recorder: Recorder, settings: dict[str, str]) -> None:
        self._lab = lab
        self._folder = folder
        self._recorder = recorder
        (folder / "schedules").mkdir()
        self._environment = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
            "PYTHONPATH": os.pathsep.join(
                [str(TESTS / "history" / "site"), str(TESTS), os.environ.get("PYTHONPATH", "")]
            ),
            "HISTORY_FOLDER": str(folder),
            "REDIS_URL": url,
            "FINANCEHUB_HEARTBEAT_TIMEOUT_SECONDS": str(HEARTBEAT_SECONDS),
            "FINANCEHUB_JANITOR_INTERVAL_SECONDS": str(JANITOR_SECONDS),
            "FINANCEHUB_HTTP_HOST": "127.0.0.1",
            "dramatiq_restart_delay": "200",
            **settings,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._is_ending: dict[str, bool] = {}

    def start(self, node: str) -> None:
        """Start the process of a node, whose name begins with its role."""
        role = node.partition("-")[0]
        self._is_ending[node] = False
        command: dict[str, list[str]] = {
            "worker": [
                *(str(_BIN / "dramatiq"), "history.tier", "-p", "1", "-t", str(WORKER_THREADS), "--skip-logging"),
                *("--worker-shutdown-timeout", str(_SHUTDOWN_MS)),
            ],
            "producer": [sys.executable, "-m", "history.producer"],
            "scheduler": [str(_BIN / "financehub-scheduler"), "--schedules", str(self._folder / "schedules")],
        }
        with (self._folder / f"{node}.log").open("ab") as log:
            self._processes[node] = launch(
                self._lab.command(node, command[role]),
                env=self._environment | {"HISTORY_NODE": node},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, node: str) -> None:
        """Kill a node's processes with SIGKILL, and record it."""
        since = time.monotonic()
        end(self._processes.pop(node))
        self._recorder.record("died", target=node, since=f"{since:.6f}", by="SIGKILL")

    def begin_end(self, node: str) -> float:
        """Send SIGTERM to a node's process, as the kubelet does, and return the time."""
        since = time.monotonic()
        self._is_ending[node] = True
        self._processes[node].send_signal(signal.SIGTERM)
        return since

    def has_ended(self, node: str, since: float) -> bool:
        """Whether a node's process has ended after SIGTERM; its end is then recorded."""
        process = self._processes[node]
        if process.poll() is None:
            return False
        del self._processes[node]
        # It fails if a message has killed its worker meanwhile.
        by = "SIGTERM" if process.returncode == 0 else "itself"
        self._recorder.record("died", target=node, since=f"{since:.6f}", by=by)
        return True

    def signal(self, node: str, number: int) -> None:
        """Send a signal to all processes of a node."""
        os.killpg(self._processes[node].pid, number)

    def revive(self) -> None:
        """Start the workers again that a message has killed, as Kubernetes does.

        Raises:
            AssertionError: Another process has ended by itself.
        """
        for node, process in list(self._processes.items()):
            if process.poll() is not None and not self._is_ending.get(node):
                assert node.startswith("worker"), f"{node} has ended by itself with exit code {process.returncode}"
                now = time.monotonic()
                self._recorder.record("died", target=node, since=f"{now:.6f}", by="itself")
                self.start(node)

    def stop(self) -> None:
        """Kill everything that runs."""
        for process in self._processes.values():
            end(process)
