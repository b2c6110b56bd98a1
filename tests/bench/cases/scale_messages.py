"""Measures 1 to 16 worker processes, and 1,000 to 1,000,000 waiting messages.

The machine of a benchmark has few cores, so tasks without work would show how fast those are. The tasks therefore wait,
like tasks that call an upstream. The limit that Redis sets is what one core of it could do: one second, divided by the
CPU time that it used for a message, from the fetch to the acknowledgment.

`PROCESSES=1,2` and `WAITING=1000,10000` in the environment measure fewer sizes.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.arrivals import quantile
from bench.charts import Chart
from bench.process_trees import cpu_seconds
from bench.rows import Row
from financehub_shared.core.settings import Settings
from financehub_shared.redis import keys, queue_keys
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer, free_port

PROCESSES = (1, 2, 4, 8, 16)
WAITING = (1_000, 10_000, 100_000, 1_000_000)
#: Threads of a worker process, and what each message takes.
THREADS, TASK_SECONDS = 4, 0.5
MEASURED_SECONDS = 10.0
GROWTH = 0.8
LIMIT_MS = 100
_FETCHES, _REQUESTS = 200, 30
_BENCH = Path(__file__).parents[2]
#: Adds waiting messages as schedulers do, each with the record of its run. ARGV: first number, number of messages, a
#: message with the id `ID`. KEYS: ready, messages.
_FILL = """
for number = ARGV[1], ARGV[1] + ARGV[2] - 1 do
  local id = 'message-' .. string.format('%d', number)
  redis.call('rpush', KEYS[1], id)
  redis.call('hset', KEYS[2], id, (string.gsub(ARGV[3], 'ID', id)))
  redis.call('hset', 'financehub:run:' .. id, 'state', 'queued', 'task', 'wait', 'queue', 'bench')
end
"""
_CHUNK = 10_000

CHARTS = (
    Chart(
        "Messages per second, by worker processes",
        f"worker processes with {THREADS} threads, tasks of {TASK_SECONDS:g} s",
        {"processed": "processed", "limit of one Redis": "redis_limit"},
    ),
    Chart(
        "CPU per message (µs)",
        "worker processes",
        {"worker": "worker_cpu_per_message", "Redis": "redis_cpu_per_message"},
        linear=False,
    ),
    Chart(
        "Response with waiting messages: median (ms)",
        "waiting messages",
        {"fetch": "fetch_median", "/api/health/": "health_median", "/metrics": "metrics_median"},
        goal=LIMIT_MS,
        linear=False,
    ),
    Chart("Memory of Redis (MB)", "waiting messages, each with the record of its run", {"Redis": "redis_memory"}),
)


def run() -> list[Row]:
    """Measure the worker processes, and then each number of waiting messages with its own Redis."""
    rows: list[Row] = []
    rates: dict[int, float] = {}
    for number in _sizes("PROCESSES", PROCESSES):
        found, rates[number] = _with_server(partial(_processes, number, dict(rates)))
        rows += found
    for number in _sizes("WAITING", WAITING):
        rows += _with_server(partial(_waiting, number))
    return rows


def _sizes(name: str, default: tuple[int, ...]) -> list[int]:
    return [int(size) for size in os.environ.get(name, "").split(",") if size] or list(default)


def _with_server(measure: Callable[[RedisServer, Path], Any]) -> Any:
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            return measure(server, Path(directory))
        finally:
            server.stop()


def _processes(number: int, rates: dict[int, float], server: RedisServer, _folder: Path) -> tuple[list[Row], float]:
    """Measure some worker processes for a while with more messages than they can process.

    Args:
        number: Number of processes.
        rates: Smaller numbers of processes, ascending → messages per second.
        server: The Redis server.
    """
    client = server.client()
    message = _message(server)
    most = round((MEASURED_SECONDS + 20) * number * THREADS / TASK_SECONDS)
    _fill(client, most, message)
    command = ("dramatiq", "bench.broker_peers.waiting_worker", *("-p", str(number), "-t", str(THREADS)))
    environment = {"BENCH_URL": server.url, "BENCH_SECONDS": str(TASK_SECONDS)}
    with _process([sys.executable, "-m", *command], environment) as pid:
        _until(lambda: len(client.zrange(queue_keys.HEARTBEATS, 0, -1)) == number and _done(client) > number * THREADS)
        before = (_done(client), time.monotonic(), cpu_seconds(pid), _redis_cpu(client))
        time.sleep(MEASURED_SECONDS)
        after = (_done(client), time.monotonic(), cpu_seconds(pid), _redis_cpu(client))
    count, seconds, cpu, redis_cpu = (later - earlier for earlier, later in zip(before, after, strict=True))
    rate = count / seconds
    goal: dict[str, Any] = {}
    if rates:
        fewer = max(rates)
        added = (rate - rates[fewer]) / (number - fewer) / (rates[min(rates)] / min(rates))
        goal = {"goal": f">= {GROWTH:g} x one process for each added one", "ok": added >= GROWTH}
    return [
        Row(f"scale.messages.processed.{number}", rate, "msg/s", **goal),
        Row(f"scale.messages.redis_limit.{number}", count / redis_cpu, "msg/s"),
        Row(f"scale.messages.worker_cpu_per_message.{number}", cpu / count * 1e6, "us"),
        Row(f"scale.messages.redis_cpu_per_message.{number}", redis_cpu / count * 1e6, "us"),
    ], rate


def _waiting(number: int, server: RedisServer, folder: Path) -> list[Row]:
    """Measure a fetch, the health report and the metrics with some waiting messages."""
    client = server.client()
    _fill(client, number, _message(server))
    memory = client.info("memory")["used_memory"] / 1e6
    schedules = folder / "schedules"
    schedules.mkdir()
    commands = {
        "worker": [sys.executable, "-m", "dramatiq", "financehub_high_priority.worker", "-p", "1", "-t", "1"],
        "scheduler": [sys.executable, "-m", "financehub_scheduler", "--schedules", str(schedules)],
    }
    ports = {name: free_port() for name in commands}
    figures: dict[str, list[float]] = {}
    with ExitStack() as stack:
        for name, command in commands.items():
            address = {"FINANCEHUB_HTTP_PORT": str(ports[name]), "FINANCEHUB_HTTP_HOST": "127.0.0.1"}
            stack.enter_context(_process(command, {"REDIS_URL": server.url} | address))
        for port in ports.values():
            _until(partial(_answers, port, "/api/health/"))
        _until(partial(_shows, ports["scheduler"], number))
        for figure, path in (("health", "/api/health/"), ("metrics", "/metrics")):
            figures[figure] = [_request(ports["scheduler"], path) for _ in range(_REQUESTS)]
    broker = build_broker(Settings(redis_url=server.url), tier="high")
    figures["fetch"] = [_duration(lambda: broker.do_fetch("bench", THREADS)) for _ in range(_FETCHES)]
    broker.close()
    rows = []
    for figure, durations in figures.items():
        p99 = quantile(sorted(durations), 99) * 1_000
        rows.append(Row(f"scale.messages.{figure}_p99.{number}", p99, "ms", goal=f"< {LIMIT_MS}", ok=p99 < LIMIT_MS))
        rows.append(Row(f"scale.messages.{figure}_median.{number}", median(durations) * 1_000, "ms"))
    return [*rows, Row(f"scale.messages.redis_memory.{number}", memory, "MB")]


def _message(server: RedisServer) -> bytes:
    """Return a message of the task as FinanceHub writes it, with the id `ID`."""
    client = server.client()
    sent = enqueue(build_broker(Settings(redis_url=server.url)), "wait", queue="bench")
    (data,) = client.hvals(queue_keys.messages("bench"))
    client.flushall()
    for id in (sent.message_id, sent.options["redis_message_id"]):
        data = data.replace(id.encode(), b"ID")
    return bytes(data)


def _fill(client: Any, number: int, message: bytes) -> None:
    script = client.register_script(_FILL)
    for first in range(0, number, _CHUNK):
        names = [queue_keys.ready("bench"), queue_keys.messages("bench")]
        script(keys=names, args=[first, min(_CHUNK, number - first), message])


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(_BENCH)} | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _done(client: Any) -> int:
    return int(client.hget(keys.task_stats("wait"), "succeeded") or 0)


def _redis_cpu(client: Any) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


def _request(port: int, path: str) -> float:
    def read() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            answer.read()

    return _duration(read)


def _answers(port: int, path: str) -> bool:
    try:
        _request(port, path)
    except OSError:
        return False
    return True


def _shows(port: int, number: int) -> bool:
    """Whether the metrics show some waiting messages."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    shown = re.search(r'^financehub_queue_messages{.*queue="bench",.*state="ready".*} (.+)$', text, re.MULTILINE)
    return shown is not None and float(shown[1]) == number


def _duration(call: Callable[[], object]) -> float:
    started_at = time.perf_counter()
    call()
    return time.perf_counter() - started_at


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 180
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError("the workers did not start in time")
        time.sleep(0.05)
