"""Runs a whole FinanceHub on one machine: real processes, their own Redis and a simulator."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis

from financehub_simulator.client_settings import settings_for
from support.processes import end, launch
from support.redis_server import PATIENT_SECONDS, RedisServer, free_port
from support.simulator import RunningSimulator

BIN = Path(sys.executable).parent
#: Folder of the module that sets a process's clock.
CLOCK = Path(__file__).parent / "set_clock"

SCHEDULE = """
apiVersion: financehub.io/v1alpha1
kind: ScheduledTask
metadata:
  name: {name}
spec:
  task: {task}
  schedule: "{schedule}"
"""

ASSETS = """
assets:
  - {symbol: BTC-USD, type: crypto, name: Bitcoin}
  - {symbol: ETH-USD, type: crypto, name: Ethereum}
  - {symbol: AAPL, type: stock, name: Apple Inc.}
  - {symbol: VOD.L, type: stock, name: Vodafone Group plc, currency: GBP}
"""


class Fleet:
    """A scheduler and tiers, started by the same commands as in production.

    Args:
        directory: Directory for logs, schedules and assets.
        server: Redis of the fleet.
        simulator: Simulator of the upstreams.
        environment: Settings in addition to the URLs of Redis and the simulator.
    """

    def __init__(
        self,
        directory: Path,
        server: RedisServer,
        simulator: RunningSimulator,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.server = server
        self.simulator = simulator
        self.schedules = directory / "schedules"
        self.schedules.mkdir()
        self.assets = directory / "assets.yaml"
        self.assets.write_text(ASSETS)
        self.ports: dict[str, int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
            **settings_for(simulator.base_url),
            "REDIS_URL": server.url,
            "FINANCEHUB_RETRY_MIN_SECONDS": "0.2",
            "FINANCEHUB_RETRY_MAX_SECONDS": "1",
            "FINANCEHUB_HEARTBEAT_TIMEOUT_SECONDS": "2",
            "FINANCEHUB_JANITOR_INTERVAL_SECONDS": "0.5",
            **(environment or {}),
        }

    def schedule(self, name: str, task: str, schedule: str, spec: str = "") -> None:
        """Write a schedule file. `spec` contains additional lines of the spec, indented by two spaces."""
        text = SCHEDULE.format(name=name, task=task, schedule=schedule) + spec
        (self.schedules / f"{name}.yaml").write_text(text)

    def start_scheduler(self, name: str = "scheduler", *, shift: float = 0, **environment: str) -> None:
        """Start a scheduler. Several may run under different names. See `set_clock` for `shift`."""
        flags = ["--schedules", str(self.schedules), "--assets", str(self.assets)]
        self._start(name, [str(BIN / "financehub-scheduler"), *flags], shift, environment)

    def start_tier(self, tier: str, *, name: str = "", threads: int = 2, shift: float = 0) -> None:
        """Start a tier's worker with the command `dramatiq`. See `set_clock` for `shift`."""
        module = f"financehub_{tier}_priority.worker"
        flags = ["-p", "1", "-t", str(threads), "--skip-logging", "--worker-shutdown-timeout", "5000"]
        self._start(name or tier, [str(BIN / "dramatiq"), module, *flags], shift)

    def start_web(self) -> str:
        """Start the console and the API, and return their URL."""
        port = free_port()
        settings = {"FINANCEHUB_WEB_HOST": "127.0.0.1", "FINANCEHUB_WEB_PORT": str(port)}
        self._start("web", [str(BIN / "financehub-web")], environment=settings)
        return f"http://127.0.0.1:{port}"

    def set_clock(self, name: str, shift: float) -> None:
        """Set the wall clock of a process, which must have been started with a shift.

        Args:
            name: Name of the process.
            shift: Seconds by which its clock is ahead of the real one; negative if it is behind.
        """
        file = self.directory / f"{name}.clock"
        file.with_suffix(".new").write_text(str(shift))
        file.with_suffix(".new").replace(file)

    def _start(
        self, name: str, command: list[str], shift: float = 0, environment: Mapping[str, str] | None = None
    ) -> None:
        clock = {}
        if shift:
            self.set_clock(name, shift)
            clock = {"PYTHONPATH": str(CLOCK), "CLOCK_SHIFT_FILE": str(self.directory / f"{name}.clock")}
        self.ports[name] = free_port()
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = launch(
                command,
                env={
                    **self._environment,
                    **clock,
                    **(environment or {}),
                    "FINANCEHUB_HTTP_PORT": str(self.ports[name]),
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a process and its children with SIGKILL, as happens to a pod that is out of memory."""
        os.killpg(self._processes[name].pid, signal.SIGKILL)
        self._processes.pop(name).wait()

    def terminate(self, name: str) -> int:
        """Send SIGTERM to the main process, as the kubelet does, and return its exit code."""
        process = self._processes.pop(name)
        process.terminate()
        return process.wait(timeout=60)

    def pid(self, name: str) -> int:
        """Return the id of a main process, which is also the id of the session of its children."""
        return self._processes[name].pid

    def running(self, name: str) -> bool:
        """Whether a process is running."""
        return self._processes[name].poll() is None

    def stop(self) -> None:
        """Stop all running processes."""
        for process in self._processes.values():
            end(process)

    def redis(self) -> "redis.Redis":
        """Return a client of the fleet's Redis."""
        return self.server.client()

    def health(self, name: str = "scheduler") -> dict[str, Any]:
        """Return one process's health report, or an empty one if it does not respond."""
        return self.get(name, "/api/health/")

    def get(self, name: str, path: str) -> dict[str, Any]:
        """Return the JSON that a process serves under a path, or an empty object if it does not respond."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.ports[name]}{path}", timeout=PATIENT_SECONDS
            ) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))
        except OSError:
            return {}

    def cli(self, *arguments: str, code: int | None = 0) -> Any:
        """Run the command line with --json, and return its JSON. `code` is the expected exit code; None allows any."""
        done = subprocess.run(
            [str(BIN / "financehub"), *arguments, "--json"],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert code in {None, done.returncode}, f"exit {done.returncode}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout else None

    def log(self, name: str) -> str:
        """Return a process's complete output."""
        return (self.directory / f"{name}.log").read_text()
