"""Command of `make monitoring`, which runs Prometheus in the foreground until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from monitoring.config import COMPOSE_PORT, DASHBOARDS, PORT, PORTS, ROOT, to_yaml
from monitoring.launch import Launch, MissingPrometheusError, find
from ports import PortError, port_of, require_free

#: Folder of the configuration, data and log.
FOLDER = Path(os.environ.get("PROMETHEUS_DIR", ROOT / ".data/prometheus")).absolute()
LOG = FOLDER / "prometheus.log"
#: Seconds until Prometheus must be ready. The container image may have to be pulled first.
READY_LIMIT_SECONDS = 300
STOP_LIMIT_SECONDS = 30
#: Signals of Ctrl-C, `kill` and a closed terminal.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

HINTS = """
Prometheus is up and scrapes the processes of `make run` every 15 seconds.
  {url}/targets   the processes, on ports {first} to {last}
  {url}/alerts    the alerts; docs/runbooks has a page for each
Dashboards: add a Prometheus data source to your Grafana, with the address {url} and the interval 15s,
and import {dashboards}/*.json. Without a Grafana,
start one with Docker; it comes with a second Prometheus, on port {compose}:
  docker compose -f deploy/local/monitoring/compose.yaml up
Ctrl-C stops Prometheus. Its data stays in {folder}.
"""

MISSING = "Nothing listens on port {port} yet: start `make run` in another terminal.\n"


class StartError(Exception):
    """Prometheus exited unexpectedly, or never became ready."""


def _relative(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def hints(port: int, http_port: int) -> str:
    """Return the greeting, with a hint if `make run` is not running."""
    greeting = HINTS.format(
        url=f"http://localhost:{port}",
        first=http_port + 1,
        last=http_port + PORTS - 1,
        dashboards=_relative(DASHBOARDS),
        folder=_relative(FOLDER),
        compose=COMPOSE_PORT,
    )
    return greeting if _listens(http_port) else greeting + MISSING.format(port=http_port)


def _exit_error() -> StartError:
    lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
    return StartError("\n  ".join([f"Prometheus exited; the last lines of {_relative(LOG)} are:", *lines[-5:]]))


def _is_ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2).close()
    except OSError:
        return False
    return True


def wait_until_stopped(
    process: "subprocess.Popen[bytes]", signals: Sequence[int], greeting: Callable[[], str], port: int
) -> None:
    """Print the greeting once Prometheus answers, and return when it is stopped.

    Args:
        process: Process of Prometheus.
        signals: The signals that have arrived. Prometheus should stop if there are any.
        greeting: Function that returns the text to print.
        port: Port of Prometheus.

    Raises:
        StartError: Prometheus exited unexpectedly or never answered.
    """
    limit = time.monotonic() + READY_LIMIT_SECONDS
    greeted = False
    while not signals:
        time.sleep(0.1)
        if process.poll() is not None:
            raise _exit_error()
        if not greeted and _is_ready(port):
            sys.stdout.write(greeting())
            sys.stdout.flush()
            greeted = True
        if not greeted and time.monotonic() > limit:
            raise StartError(f"Prometheus did not become ready within {READY_LIMIT_SECONDS} s; see {_relative(LOG)}")


def serve(launch: Launch, signals: Sequence[int], port: int, http_port: int) -> None:
    """Run Prometheus until it is stopped.

    Args:
        launch: Command and configuration.
        signals: The signals that have arrived. Prometheus should stop if there are any.
        port: Port of Prometheus.
        http_port: First port of `make run`.

    Raises:
        StartError: Prometheus exited unexpectedly or never answered.
    """
    (FOLDER / "data").mkdir(parents=True, exist_ok=True)
    (FOLDER / "prometheus.yaml").write_text(to_yaml(launch.configuration), encoding="utf-8")
    with LOG.open("wb") as log:
        # Prometheus gets its own session, so that Ctrl-C does not reach it directly and only this process stops it
        process = subprocess.Popen(launch.command, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
    try:
        wait_until_stopped(process, signals, lambda: hints(port, http_port), port)
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Run until Ctrl-C and return the exit code."""
    signals: list[int] = []
    for number in STOP_SIGNALS:
        # The handler only appends. An exception could occur after the start but before the process is stored, and a
        # lock could be held by the thread that the handler interrupts.
        signal.signal(number, lambda number, _frame: signals.append(number))
    try:
        port = port_of(os.environ, "PROMETHEUS_PORT", PORT)
        http_port = port_of(os.environ, "HTTP_PORT", 8000, PORTS)
        require_free(port, "Prometheus", "PROMETHEUS_PORT")
        serve(find(FOLDER, port, http_port), signals, port, http_port)
    except (PortError, MissingPrometheusError, StartError) as error:
        sys.stderr.write(f"make monitoring: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
