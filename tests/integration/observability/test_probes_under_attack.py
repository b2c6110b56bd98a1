"""Probes of real processes while clients attack the port, Redis fails, or tasks keep the interpreter busy."""

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.attacks import ATTACKS, Attack, attacking, probe_seconds
from support.fleet import BIN
from support.processes import end, launch
from support.redis_server import RedisServer, free_port
from support.stalls import Stalls
from support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.alone]

ROOT = Path(__file__).parents[3]
#: The promise, which 95 % of the probes must keep here. The attackers use the same CPUs, and a busy machine may stop
#: every process for a moment.
LIMIT_SECONDS = 1.0
#: The kubelet's timeout in the chart, which every probe must keep while the machine is not stalled.
TIMEOUT_SECONDS = 5.0
#: Probes for each attack.
PROBES = 60


class Served:
    """A scheduler or a worker that serves its port.

    Args:
        name: `scheduler` or a tier.
        url: URL of Redis.
        folder: Folder of its log.
    """

    def __init__(self, name: str, url: str, folder: Path) -> None:
        self.port = free_port()
        command: list[str | Path] = [BIN / "dramatiq", f"financehub_{name}_priority.worker", "-p", "1", "-t", "4"]
        if name == "scheduler":
            command = [BIN / "financehub-scheduler", "--schedules", ROOT / "deploy/local/schedules"]
        environment = {"REDIS_URL": url, "FINANCEHUB_HTTP_PORT": str(self.port), "FINANCEHUB_HTTP_HOST": "127.0.0.1"}
        with (folder / f"{name}.log").open("wb") as log:
            self.process = launch(command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True)
        eventually(self._is_ready, f"{name} is ready", ignored=OSError, within=90)

    def _is_ready(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
            return bool(json.load(answer)["ok"])

    def stop(self) -> None:
        """Kill it."""
        end(self.process)


@pytest.fixture(scope="module", params=["scheduler", "high"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, RedisServer]]:
    """A process with its own Redis."""
    folder = tmp_path_factory.mktemp("probes")
    server = RedisServer(folder).start()
    process = Served(request.param, server.url, folder)
    yield process, server
    process.stop()
    server.stop()


def measure(port: int, name: str, probes: int = PROBES) -> None:
    """Probe liveness and readiness alternately, print the times, and check the promise."""
    times: dict[str, list[float]] = {"/livez": [], "/readyz": []}
    with Stalls() as stalls:
        for number in range(2 * probes):
            path = ("/livez", "/readyz")[number % 2]
            times[path].append(probe_seconds(port, path))
            time.sleep(0.01)
    for path, seconds in times.items():
        median, longest = statistics.median(seconds) * 1_000, max(seconds) * 1_000
        sys.stdout.write(f"{name:<24} {path:<8} median {median:7.1f} ms, maximum {longest:7.1f} ms\n")
    for seconds in times.values():
        assert statistics.quantiles(seconds, n=20)[-1] < LIMIT_SECONDS
        assert max(seconds) < TIMEOUT_SECONDS + stalls.longest


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_probes_under_attack_are_answered(served: tuple[Served, RedisServer], attack: Attack) -> None:
    """While clients attack the port, each probe on a new connection is answered in time."""
    process, _ = served
    with attacking(attack, process.port):
        time.sleep(1.5)  # the attack builds up
        measure(process.port, attack.__name__)


@pytest.mark.parametrize("fault", ["hung", "full", "absent"])
def test_probes_with_a_fault_of_redis_are_answered(served: tuple[Served, RedisServer], fault: str) -> None:
    """While Redis fails and many clients wait for reports, probes are answered and liveness holds."""
    process, server = served
    if fault == "hung":
        server.hang()
    elif fault == "full":
        server.client().config_set("maxmemory", "1")
    else:
        server.kill()
    many = next(attack for attack in ATTACKS if attack.__name__ == "many_reports")
    try:
        with attacking(many, process.port):
            time.sleep(3)
            measure(process.port, f"redis {fault}")
            with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/livez", timeout=5) as answer:
                assert json.load(answer) == {"ok": True, "problems": []}
    finally:
        if fault == "hung":
            server.resume()
        elif fault == "full":
            server.client().config_set("maxmemory", "0")
        else:
            server.start()


BUSY = """
import sys, threading, time
from financehub_shared.core.clock import SystemClock
from financehub_shared.health.app import HealthApp
from financehub_shared.health.report import HealthReport
from financehub_shared.health.server import HealthServer
from financehub_shared.worker.middleware.health_server import HealthServerMiddleware
report = lambda: HealthReport.of([], 1.0)
app = HealthApp(
    report=report, liveness=list, readiness=list, metrics=lambda _: ("text/plain", b"x 1\\n"), queue=None,
    clock=SystemClock(),
)
server = HealthServer(app.respond, "127.0.0.1", int(sys.argv[1]))
HealthServerMiddleware(server).after_process_boot(None)
{body}
time.sleep(600)
"""
INDICATORS = """
import numpy
def compute():
    prices = numpy.random.rand(20_000)
    while True:
        numpy.convolve(prices, prices[:500])
        sum(float(price) for price in prices)
for _ in range(2):
    threading.Thread(target=compute, daemon=True).start()
"""
DESCRIPTORS = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
while True:
    try:
        held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        break
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Return a function that starts the server in a process with other work, and returns its port."""
    running: list[subprocess.Popen[bytes]] = []

    def start(body: str) -> int:
        port = free_port()
        running.append(launch([sys.executable, "-c", BUSY.format(body=body), str(port)]))
        eventually(lambda: probe_seconds(port), "it serves", ignored=(OSError, AssertionError))
        return port

    yield start
    for process in running:
        end(process)


@pytest.mark.parametrize("attack", [ATTACKS[0], ATTACKS[2], ATTACKS[5]], ids=lambda attack: attack.__name__)
def test_probes_of_a_busy_process_are_answered(program: Callable[[str], int], attack: Attack) -> None:
    """Two tasks that compute indicators without a pause do not keep the interpreter from the server."""
    port = program(INDICATORS)
    measure(port, "busy", 20)
    with attacking(attack, port):
        time.sleep(1.5)
        measure(port, f"busy, {attack.__name__}", 20)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_probes_without_file_descriptors_are_answered(program: Callable[[str], int]) -> None:
    """A process that has opened all of its file descriptors answers with its last one, without using a CPU."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 64
    port = program(DESCRIPTORS)
    pid = next(
        int(path.name)
        for path in Path("/proc").iterdir()
        if path.name.isdigit() and str(port) in _command(path) and "RLIMIT_NOFILE" in _command(path)
    )
    idle = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(30)]
    before, started = _cpu_seconds(pid), time.monotonic()
    measure(port, "no file descriptors", 20)
    time.sleep(2)
    assert _cpu_seconds(pid) - before < 0.8 * (time.monotonic() - started)
    for peer in idle:
        peer.close()


def _command(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_text()
    except OSError:
        return ""


def test_reports_are_made_once_for_all_who_wait(served: tuple[Served, RedisServer]) -> None:
    """Fifty clients that ask at the same time while Redis hangs get the same report, in the time of one."""
    process, server = served
    server.hang()
    try:
        answers: list[tuple[float, str]] = []
        stalls = Stalls()

        def ask() -> None:
            started = time.monotonic()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/api/health/", timeout=30) as answer:
                    text = answer.read().decode()
            except urllib.error.HTTPError as error:
                text = error.read().decode()
            answers.append((time.monotonic() - started, text))

        threads = [threading.Thread(target=ask) for _ in range(50)]
        with stalls:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
    finally:
        server.resume()
    assert len(answers) == 50
    # one report needs one timeout of 2 s, and waiting is limited to 5 s
    longest = max(seconds for seconds, _ in answers)
    assert longest < 10 + stalls.longest
    times = {json.loads(text).get("at") for _, text in answers}
    assert None not in times, "an error in place of a report"
    # On a busy machine, the last clients may ask when the report of the first ones has been made.
    assert len(times) <= 2 + longest / 2
