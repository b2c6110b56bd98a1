"""Measures 10,000 schedules, due simultaneously and spread out, and compares with Celery beat and periodiq."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.arrivals import burst_lateness, lateness, peak_mb, quantile
from bench.rows import Row
from bench.scheduler_peers import COUNT
from financehub_shared.redis import keys
from support.redis_server import RedisServer

#: Number of measured bursts. The goal applies to the last one. The first, which also fills empty hashes, is shown too.
BURSTS = 3
BURST_INTERVAL = 20
SPREAD = 60
#: Minimum seconds from a peer's start to the measured minute. If the next one is closer, the one after is used.
PEER_START = 15.0
HEAD = """\
apiVersion: financehub.io/v1alpha1
kind: ScheduledTask
metadata:
  name: s{}
spec:
  task: noop
  queue: bench
"""
BENCH = Path(__file__).parents[2]


def run() -> list[Row]:
    """Measure FinanceHub and then each peer, with one Redis."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        server = RedisServer(folder, aof=False).start()
        try:
            cold, rss, bursts = _bursts(server, folder)
            spread = _spread(server, folder)
            celery = _peer(
                server, folder, "celery", _command("celery", "-A", "bench.scheduler_peers.celery_beat", "beat")
            )
            periodiq = _peer(
                server, folder, "dramatiq:default", _command("periodiq", "bench.scheduler_peers.periodiq_actors")
            )
        finally:
            server.stop()
    p99 = bursts[-1]
    peers = {"Celery beat 5.7": celery, "periodiq 0.14": periodiq}
    return [
        *(
            Row("scheduler.burst_10k.p99", p99, "ms", peer, value, "< 250", p99 < 250)
            for peer, (value, _) in peers.items()
        ),
        Row("scheduler.burst_10k.first_p99", bursts[0], "ms"),
        Row("scheduler.spread_10k.p99", spread, "ms", goal="< 10", ok=spread < 10),
        Row("scheduler.cold_start_10k", cold, "s", goal="< 5", ok=cold < 5),
        *(Row("scheduler.rss_10k", rss, "MB", peer, mb, "< 200", rss < 200) for peer, (_, mb) in peers.items()),
    ]


def _command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / arguments[0]), *arguments[1:]]


@contextmanager
def _process(command: list[str], folder: Path, url: str) -> Iterator["subprocess.Popen[bytes]"]:
    env = {**os.environ, "PYTHONPATH": str(BENCH), "PEER_REDIS_URL": url, "FINANCEHUB_HTTP_PORT": "0", "REDIS_URL": url}
    with (folder / "out.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextmanager
def _scheduler(server: RedisServer, folder: Path, spec: str) -> Iterator[tuple["subprocess.Popen[bytes]", float]]:
    """Run a scheduler, and yield it with the seconds from its start until all schedules were registered."""
    server.client().flushall()
    schedules = folder / "schedules"
    schedules.mkdir(exist_ok=True)
    (schedules / "all.yaml").write_text("---\n".join(HEAD.format(number) + spec for number in range(COUNT)))
    started_at = time.monotonic()
    command = [sys.executable, "-m", "financehub_scheduler", "--broker", server.url, "--schedules", str(schedules)]
    client: Any = server.client()
    with _process(command, folder, server.url) as process:
        while client.zcard(keys.SCHEDULES) < COUNT:
            time.sleep(0.01)
        yield process, time.monotonic() - started_at


def _bursts(server: RedisServer, folder: Path) -> tuple[float, float, list[float]]:
    """Return the seconds of the cold start, the peak MB, and the p99 lateness of each burst in ms."""
    client = server.client()
    late = []
    with _scheduler(server, folder, f'  schedule: "@every {BURST_INTERVAL}s"\n  concurrencyPolicy: Allow\n') as (
        process,
        cold,
    ):
        for _ in range(BURSTS):
            due = (time.time() // BURST_INTERVAL + 1) * BURST_INTERVAL
            client.delete("dramatiq:bench", "dramatiq:bench.msgs")
            late.append(burst_lateness(client, "dramatiq:bench", due, COUNT) * 1000)
        return cold, peak_mb(process.pid), late


def _spread(server: RedisServer, folder: Path) -> float:
    """Return the p99 lateness in ms of runs that are spread over a minute by their jitter offsets."""
    spec = f'  schedule: "@every {SPREAD}s"\n  jitterSeconds: {SPREAD}\n  concurrencyPolicy: Allow\n'
    with _scheduler(server, folder, spec):
        # Each schedule is due once per full minute. Runs that were due during the start are not measured.
        begin = (time.time() // SPREAD + 1) * SPREAD
        late = lateness(server.client(), "dramatiq:bench", begin, begin + SPREAD, SPREAD)
    if len(late) < COUNT * 0.99:
        raise RuntimeError(f"{len(late)} of {COUNT} runs arrived within a minute")
    return quantile(late, 99) * 1000


def _peer(server: RedisServer, folder: Path, queue: str, command: list[str]) -> tuple[float, float]:
    """Return the p99 lateness in ms of a peer's burst at a full minute, and the peak MB of the peer."""
    client = server.client()
    client.flushall()
    with _process(command, folder, server.url) as process:
        due = ((time.time() + PEER_START) // 60 + 1) * 60
        time.sleep(max(0.0, due - time.time() - 0.2))
        client.delete(queue)
        late = burst_lateness(client, queue, due, COUNT) * 1000
        if process.poll() is not None:
            raise RuntimeError((folder / "out.log").read_text()[-2_000:])
        return late, peak_mb(process.pid)
