"""Compares the broker with bare dramatiq and Celery: messages enqueued and processed per second, on one Redis.

`FLAMES=after` also draws a flame graph of a worker with everything on, docs/images/flames-message-after.svg; this needs
py-spy.
"""

import importlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from bench import flames
from bench.rows import Row
from financehub_shared.core.settings import Settings
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer

MESSAGES = 4_000
WARM_UP = 500
ENQUEUE_SECONDS = 1.5
ROUNDS = 3
#: Messages of the flame graph.
_DRAWN = 12_000
TESTS = Path(__file__).parents[2]
THREADS = "4"


def run() -> list[Row]:
    """Return the medians of three rounds. All brokers take turns, so a busy moment affects all of them."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            return _rows(server)
        finally:
            server.stop()


def _rows(server: RedisServer) -> list[Row]:
    os.environ["BENCH_URL"] = server.url
    celery = importlib.import_module("bench.broker_peers.celery_worker")
    own = build_broker(Settings(redis_url=server.url))
    stock = RedisBroker(url=server.url)
    dramatiq_worker = ("dramatiq", "bench.broker_peers.dramatiq_worker", "-p", "1", "-t", THREADS, "--skip-logging")
    celery_worker = (
        *("celery", "-A", "bench.broker_peers.celery_worker", "worker", "--pool", "threads"),
        *("--concurrency", THREADS, "--events", "--loglevel", "WARNING"),
    )
    enqueuers: dict[str, Callable[[], object]] = {
        "ours": lambda: enqueue(own, "noop", queue="bench"),
        "bare": lambda: stock.enqueue(dramatiq.Message("bench", "noop", (), {}, {})),
        "celery": celery.noop.delay,
    }
    workers = {
        "all middleware": ("ours", dramatiq_worker, {"BENCH_KIND": "all"}),
        "without observers": ("ours", dramatiq_worker, {"BENCH_KIND": "broker"}),
        "bare": ("bare", dramatiq_worker, {"BENCH_KIND": "bare"}),
        "celery": ("celery", celery_worker, {}),
    }
    client = server.client()
    enqueued: dict[str, list[float]] = {name: [] for name in enqueuers}
    processed: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(ROUNDS):
        for name, send in enqueuers.items():
            client.flushall()
            enqueued[name].append(_enqueue_rate(send))
        for name, (enqueuer, command, environment) in workers.items():
            client.flushall()
            for _ in range(MESSAGES):
                enqueuers[enqueuer]()
            with _worker(command, environment):
                processed[name].append(_processing_rate(client))
    if flames.VARIABLE in os.environ:
        _draw(client, dramatiq_worker, enqueuers["ours"])
    return [
        _row("broker.process", processed, "all middleware", "bare", 1.5, "bare dramatiq"),
        _row("broker.process", processed, "all middleware", "celery", 1, "Celery, threads, events"),
        _row("broker.process", processed, "without observers", "bare", None, "bare dramatiq"),
        _row("broker.enqueue", enqueued, "ours", "celery", 2, "Celery"),
        _row("broker.enqueue", enqueued, "ours", "bare", None, "bare dramatiq"),
    ]


def _draw(client: "redis.Redis", worker: tuple[str, ...], send: Callable[[], object]) -> None:
    """Draw a flame graph of a worker with everything on."""
    client.flushall()
    for _ in range(_DRAWN):
        send()
    with _worker(worker, {"BENCH_KIND": "all"}) as pid:
        _wait_for(client, WARM_UP)
        with flames.drawn("message", f"A worker that processes {_DRAWN - WARM_UP:,} messages", pid):
            _wait_for(client, _DRAWN)


def _row(prefix: str, rates: dict[str, list[float]], name: str, peer: str, factor: float | None, peer_name: str) -> Row:
    value, peer_value = statistics.median(rates[name]), statistics.median(rates[peer])
    goal = "" if factor is None else f">= {factor:g} x {peer_name}"
    ok = None if factor is None else value >= factor * peer_value
    return Row(f"{prefix}.{name.replace(' ', '-')}", value, "msg/s", peer_name, peer_value, goal, ok)


def _enqueue_rate(send: Callable[[], object]) -> float:
    send()
    count, start = 0, time.monotonic()
    while time.monotonic() - start < ENQUEUE_SECONDS:
        send()
        count += 1
    return count / (time.monotonic() - start)


@contextmanager
def _worker(command: tuple[str, ...], environment: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=os.environ | {"PYTHONPATH": str(TESTS)} | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _processing_rate(client: "redis.Redis") -> float:
    """Return the messages per second between the warm-up and the last 50, which the threads share unevenly."""
    first, start = _wait_for(client, WARM_UP)
    last, end = _wait_for(client, MESSAGES - 50)
    return (last - first) / (end - start)


def _wait_for(client: "redis.Redis", count: int) -> tuple[int, float]:
    limit = time.monotonic() + 60
    while True:
        done, now = int(client.get("bench:done") or 0), time.monotonic()
        if done >= count:
            return done, now
        if now > limit:
            raise TimeoutError(f"only {done} of {count} messages were processed")
        time.sleep(0.02)
