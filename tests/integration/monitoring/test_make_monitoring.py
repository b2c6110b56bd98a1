"""`make monitoring` with a real Prometheus: it scrapes, has the rules, and leaves no process behind."""

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
from support.redis_server import free_port

#: Seconds to wait for anything: a first scrape comes within one interval of 15 s.
LIMIT = 60


class Metrics(http.server.BaseHTTPRequestHandler):
    """What a process of FinanceHub serves, as far as the tests look at it."""

    component = ""

    def do_GET(self) -> None:
        """One series with the label of its component."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(
            f'financehub_build_info{{release="local",component="{self.component}",version="0"}} 1\n'.encode()
        )

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at Prometheus."""


@pytest.fixture
def http_port() -> Iterator[int]:
    """The first port of four processes that serve metrics, in the order of `make run`."""
    while True:
        first = free_port()
        with contextlib.ExitStack() as servers:
            try:
                for index, name in enumerate(PROCESSES):
                    handler = type("Named", (Metrics,), {"component": name})
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
    """Where Prometheus listens."""
    return free_port()


def prometheus_of(folder: Path) -> list[int]:
    """Process ids of every Prometheus with its configuration in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"--config.file={folder}/prometheus.yaml".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.fixture
def running(tmp_path: Path, port: int, http_port: int) -> Iterator["subprocess.Popen[str]"]:
    """A `make monitoring` that has reported that it is up."""
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
            process.wait(LIMIT)
        end(process)
        # a bug in the command may leave one behind
        for each in prometheus_of(tmp_path):
            os.kill(each, signal.SIGKILL)
        process.stdout.close()
        process.stderr.close()


def asked(port: int, path: str, **query: str) -> Any:
    """The response of Prometheus's HTTP API."""
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def test_processes_are_scraped_and_rules_are_loaded(running: "subprocess.Popen[str]", port: int, http_port: int):
    """All four targets come up with the component that they report, and every rule of the chart is evaluated."""
    limit = time.monotonic() + LIMIT
    while True:
        targets = asked(port, "targets")["activeTargets"]
        if [each["health"] for each in targets] == ["up"] * len(PROCESSES):
            break
        assert time.monotonic() < limit, targets
        time.sleep(0.2)
    series = asked(port, "query", query="financehub_build_info")["result"]
    assert {each["metric"]["instance"]: each["metric"]["component"] for each in series} == {
        f"localhost:{http_port + index}": name for index, name in enumerate(PROCESSES)
    }
    loaded = [(group["name"], [rule["name"] for rule in group["rules"]]) for group in asked(port, "rules")["groups"]]
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(RULES.glob("*.yaml"))]
    assert sorted(loaded) == sorted(
        (group["name"], [rule.get("alert") or rule["record"] for rule in group["rules"]])
        for each in files
        for group in each["groups"]
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_ends_everything(running: "subprocess.Popen[str]", port: int, tmp_path: Path, stop: signal.Signals):
    """Ctrl-C, `kill` and a closed terminal end Prometheus too, and its port is free; its data stays."""
    (prometheus,) = prometheus_of(tmp_path)
    running.send_signal(stop)
    assert running.wait(LIMIT) == 0
    assert prometheus_of(tmp_path) == []
    assert not Path(f"/proc/{prometheus}").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert (tmp_path / "data" / "wal").is_dir()


def test_a_prometheus_that_ends_by_itself_is_an_error(running: "subprocess.Popen[str]", tmp_path: Path):
    """If Prometheus is killed, the command ends too and says where the log is."""
    (prometheus,) = prometheus_of(tmp_path)
    os.kill(prometheus, signal.SIGKILL)
    assert running.wait(LIMIT) == 2
    assert (
        f"make monitoring: Prometheus exited; the last lines of {tmp_path}/prometheus.log are:" in running.stderr.read()
    )
