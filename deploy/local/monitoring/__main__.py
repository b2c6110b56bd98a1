"""`make monitoring`: Prometheus in the foreground until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from monitoring.config import COMPOSE_PORT, DASHBOARDS, PORT, PROCESSES, ROOT, text
from monitoring.launch import Launch, MissingPrometheusError, find
from ports import PortError, port_of, require_free

#: Configuration, data and log.
FOLDER = Path(os.environ.get("PROMETHEUS_DIR", ROOT / ".data/prometheus")).absolute()
LOG = FOLDER / "prometheus.log"
#: The container image may have to be pulled first.
READY_LIMIT_SECONDS = 300
STOP_LIMIT_SECONDS = 30
#: Ctrl-C, `kill`, and a closed terminal.
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

HINTS = """
Prometheus is up and scrapes the processes of `make run` every 15 seconds.
  {url}/targets   the processes, on ports {first} to {last}
  {url}/alerts    the alerts; docs/runbooks has a page for each
Dashboards: add a Prometheus data source to your Grafana, with the address {url} and the interval 15s,
and import {dashboards}/*.json. Without a Grafana,
start one with Docker; it comes with a second Prometheus, on port {compose}:
  docker compose -f deploy/local/monitoring/compose.yaml up
Ctrl-C stops Prometheus. What it has scraped stays in {folder}.
"""

MISSING = "Nothing listens on port {port} yet: start `make run` in another terminal.\n"


class StartError(Exception):
    """Prometheus exited unexpectedly, or never became ready."""


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def hints(port: int, http_port: int) -> str:
    """Where to look, and what to do if `make run` is not running."""
    known = HINTS.format(
        url=f"http://localhost:{port}",
        first=http_port,
        last=http_port + len(PROCESSES) - 1,
        dashboards=_shown(DASHBOARDS),
        folder=_shown(FOLDER),
        compose=COMPOSE_PORT,
    )
    return known if _listens(http_port) else known + MISSING.format(port=http_port)


def _end_of_log() -> StartError:
    lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
    return StartError("\n  ".join([f"Prometheus exited; the last lines of {_shown(LOG)} are:", *lines[-5:]]))


def _ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2).close()
    except OSError:
        return False
    return True


def attend(
    process: "subprocess.Popen[bytes]", stopped: threading.Event, greeting: Callable[[], str], port: int
) -> None:
    """Greet once Prometheus answers, and return when somebody stops it.

    Args:
        process: Prometheus.
        stopped: set when somebody does.
        greeting: makes the text to print.
        port: where Prometheus listens.

    Raises:
        StartError: it exited unexpectedly, or never answered.
    """
    limit = time.monotonic() + READY_LIMIT_SECONDS
    greeted = False
    while not stopped.wait(0.1):
        if process.poll() is not None:
            raise _end_of_log()
        if not greeted and _ready(port):
            sys.stdout.write(greeting())
            sys.stdout.flush()
            greeted = True
        if not greeted and time.monotonic() > limit:
            raise StartError(f"Prometheus did not become ready within {READY_LIMIT_SECONDS} s; see {_shown(LOG)}")


def serve(launch: Launch, stopped: threading.Event, port: int, http_port: int) -> None:
    """Run Prometheus until somebody stops it.

    Args:
        launch: how it is started.
        stopped: set when somebody does.
        port: where it listens.
        http_port: the first of the ports of `make run`.

    Raises:
        StartError: it exited unexpectedly.
    """
    (FOLDER / "data").mkdir(parents=True, exist_ok=True)
    (FOLDER / "prometheus.yaml").write_text(text(launch.configuration), encoding="utf-8")
    with LOG.open("wb") as log:
        # its own session, so that Ctrl-C does not reach Prometheus directly and it is stopped once, from here
        process = subprocess.Popen(launch.command, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
    try:
        attend(process, stopped, lambda: hints(port, http_port), port)
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Run until Ctrl-C; returns the exit code."""
    stopped = threading.Event()
    for each in STOPS:
        # a handler that raises could do so after Prometheus has started and before its process is stored here
        signal.signal(each, lambda _signal, _frame: stopped.set())
    try:
        port = port_of(os.environ, "PROMETHEUS_PORT", PORT)
        http_port = port_of(os.environ, "HTTP_PORT", 8000, len(PROCESSES))
        require_free(port, "Prometheus", "PROMETHEUS_PORT")
        serve(find(FOLDER, port, http_port), stopped, port, http_port)
    except (PortError, MissingPrometheusError, StartError) as error:
        sys.stderr.write(f"make monitoring: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
