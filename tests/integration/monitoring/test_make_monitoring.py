"""Tests of `make monitoring` with a real Prometheus: it scrapes, loads the rules, and leaves no process behind."""

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.config import PROCESSES, ROOT, RULES
from support.processes import end, launch
from support.promtool import prometheus_path
from support.redis_server import free_port, free_ports

#: Seconds to wait for any event. The first scrape is within one interval of 15 s.
LIMIT_SECONDS = 120


class MetricsHandler(http.server.BaseHTTPRequestHandler):
    """A handler that serves the metric that the tests need, instead of a FinanceHub process."""

    component = ""

    def do_GET(self) -> None:
        """Serve one series with the component's label."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(
            f'financehub_build_info{{release="local",component="{self.component}",version="0"}} 1\n'.encode()
        )

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests, because the tests check Prometheus."""


@pytest.fixture
def http_port() -> Iterator[int]:
    """Serve the metrics of all processes in the order of `make run`, and return the first port, that of the console."""
    while True:
        first = free_ports(len(PROCESSES) + 1)
        with contextlib.ExitStack() as servers:
            try:
                for index, name in enumerate(PROCESSES, 1):
                    handler = type("Named", (MetricsHandler,), {"component": name})
                    server = http.server.ThreadingHTTPServer(("127.0.0.1", first + index), handler)
                    servers.callback(server.server_close)
                    threading.Thread(target=server.serve_forever, daemon=True).start()
                    servers.callback(server.shutdown)
            except OSError:
                continue
            yield first
            return


@pytest.fixture
def port() -> int:
    """Return a free port for Prometheus."""
    return free_port()


def prometheus_of(folder: Path) -> list[int]:
    """Return the process ids of every Prometheus whose configuration is in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"--config.file={folder}/prometheus.yaml".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.fixture
def running(tmp_path: Path, port: int, http_port: int) -> Iterator["subprocess.Popen[str]"]:
    """Start `make monitoring` and wait until it reports that Prometheus is up."""
    prometheus_path()
    environment = {"PYTHONPATH": str(ROOT / "deploy/local"), "PROMETHEUS_DIR": str(tmp_path)}
    process = launch(
        [sys.executable, "-m", "monitoring"],
        env=os.environ | environment | {"PROMETHEUS_PORT": str(port), "HTTP_PORT": str(http_port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "\n"
        assert process.stdout.readline().startswith("Prometheus is up")
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LIMIT_SECONDS)
        end(process)
        # a bug in the command may leave a process behind
        for pid in prometheus_of(tmp_path):
            os.kill(pid, signal.SIGKILL)
        process.stdout.close()
        process.stderr.close()


def query_api(port: int, path: str, **query: str) -> Any:
    """Return the data in a response of Prometheus's HTTP API."""
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)["data"]


def test_make_monitoring_scrapes_all_processes_and_loads_all_rules(
    running: "subprocess.Popen[str]", port: int, http_port: int
):
    """All targets are up with the component that they report, and every rule of the chart is loaded."""
    limit = time.monotonic() + LIMIT_SECONDS
    while True:
        targets = query_api(port, "targets")["activeTargets"]
        if [target["health"] for target in targets] == ["up"] * len(PROCESSES):
            break
        assert time.monotonic() < limit, targets
        time.sleep(0.2)
    series = query_api(port, "query", query="financehub_build_info")["result"]
    assert {item["metric"]["instance"]: item["metric"]["component"] for item in series} == {
        f"localhost:{http_port + index}": name for index, name in enumerate(PROCESSES, 1)
    }
    loaded = [
        (group["name"], [rule["name"] for rule in group["rules"]]) for group in query_api(port, "rules")["groups"]
    ]
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(RULES.glob("*.yaml"))]
    assert sorted(loaded) == sorted(
        (group["name"], [rule.get("alert") or rule["record"] for rule in group["rules"]])
        for file in files
        for group in file["groups"]
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_make_monitoring_with_a_stop_signal_ends_prometheus(
    running: "subprocess.Popen[str]", port: int, tmp_path: Path, stop: signal.Signals
):
    """Ctrl-C, `kill` and a closed terminal also stop Prometheus. Afterwards its port is free, and its data is kept."""
    (prometheus,) = prometheus_of(tmp_path)
    running.send_signal(stop)
    assert running.wait(LIMIT_SECONDS) == 0
    assert prometheus_of(tmp_path) == []
    assert not Path(f"/proc/{prometheus}").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert (tmp_path / "data" / "wal").is_dir()


def test_make_monitoring_with_a_killed_prometheus_fails(running: "subprocess.Popen[str]", tmp_path: Path):
    """If Prometheus is killed, the command also exits and names the log."""
    (prometheus,) = prometheus_of(tmp_path)
    os.kill(prometheus, signal.SIGKILL)
    assert running.wait(LIMIT_SECONDS) == 2
    assert (
        f"make monitoring: Prometheus exited; the last lines of {tmp_path}/prometheus.log are:" in running.stderr.read()
    )
