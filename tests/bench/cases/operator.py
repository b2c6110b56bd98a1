"""Measures a scheduler with 10,000 ScheduledTasks in a real API server, and compares 500 with as many CronJobs."""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import arrivals
from bench.arrivals import burst_lateness, due_and_late, quantile
from bench.cron_jobs import cron_job_lateness, scheduled_task_lateness
from bench.operator_cluster import SCHEDULED_TASKS, OperatorCluster, log_progress, operator_cluster, wait_until
from bench.process_trees import cpu_seconds, pss_mb
from bench.rows import Row
from bench.scheduler_peers import COUNT
from financehub_shared.redis import keys
from support.operator import Tasks
from support.schedules import resource
from test_cluster.control_plane.tokens import User

MINUTE = 60
#: Number of measured bursts. The goal applies to the last one, and the first is shown too.
BURSTS = 3
BURST_INTERVAL = 20
#: Seconds in which all first statuses must be written while the spread is measured. A second has time for 130.
FIRST_STATUS_SECONDS = 120
#: Seconds during which a new scheduler must not write.
QUIET_SECONDS = 20
APPLIES = 200
#: Steady state: the period of each schedule in seconds, and the start of the schedules after all other phases.
PERIOD = 300
STEADY_AFTER_SECONDS = 620
SETTLE_SECONDS = 45
STEADY_SECONDS = 130
#: Writes per run that ended, because the window cuts off the ends of a few runs, and the writes about a few others.
_MARGIN = 1.02
TESTS = Path(__file__).parents[2]
QUEUE = "dramatiq:bench"


def run() -> list[Row]:
    """Measure all phases, one after the other, with one control plane and one Redis."""
    with tempfile.TemporaryDirectory() as directory, operator_cluster(Path(directory)) as cluster:
        user, created = cluster.user("steady"), time.time()
        begin = int(created) + STEADY_AFTER_SECONDS
        return [
            *_start(cluster, user, begin),
            *_compare_with_cron_jobs(cluster),
            *_burst(cluster),
            *_spread(cluster),
            *_steady(cluster, user, begin),
            *_no_op_writes(cluster, user, created),
        ]


def _tasks(count: int, **spec: Any) -> Iterator[dict[str, Any]]:
    return (resource(f"s{number}", task="noop", queue="bench", **spec) for number in range(count))


def _compare_with_cron_jobs(cluster: OperatorCluster) -> list[Row]:
    """Compare the time from due to enqueued with the time from due to Job creation."""
    own, peer = scheduled_task_lateness(cluster, "few"), cron_job_lateness(cluster, "few")
    return [
        Row(
            f"operator.due_500.p{percent}",
            quantile(own, percent) * 1000,
            "ms",
            "CronJob v2 controller",
            quantile(peer, percent) * 1000,
        )
        for percent in (50, 99)
    ]


def _burst(cluster: OperatorCluster) -> list[Row]:
    log_progress(f"{COUNT} schedules, all due at the same time")
    user = cluster.user("burst")
    spec = {"schedule": f"@every {BURST_INTERVAL}s", "concurrencyPolicy": "Allow"}
    cluster.create(SCHEDULED_TASKS.format("burst"), _tasks(COUNT, **spec))
    client, late = cluster.redis.client(), []
    with cluster.scheduler(user, COUNT) as (pid, registration_seconds):
        registration_cpu = cpu_seconds(pid)
        for _ in range(BURSTS):
            due = (time.time() // BURST_INTERVAL + 1) * BURST_INTERVAL
            client.delete(QUEUE, f"{QUEUE}.msgs")
            late.append(burst_lateness(client, QUEUE, due, COUNT) * 1000)
    return [
        Row(
            "operator.registered_10k.without_status",
            registration_seconds,
            "s",
            goal="< 8",
            ok=registration_seconds < 8,
        ),
        Row("operator.registered_10k.without_status.cpu", registration_cpu, "s"),
        Row("operator.burst_10k.p99", late[-1], "ms", goal="< 250", ok=late[-1] < 250),
        Row("operator.burst_10k.first_p99", late[0], "ms"),
    ]


def _spread(cluster: OperatorCluster) -> list[Row]:
    log_progress(f"{COUNT} schedules, spread over a minute")
    user = cluster.user("spread")
    spec = {"schedule": f"@every {MINUTE}s", "jitterSeconds": MINUTE, "concurrencyPolicy": "Allow"}
    cluster.create(SCHEDULED_TASKS.format("spread"), _tasks(COUNT, **spec))
    # A schedule runs only what is due after its creation, so each must exist at the full minute from which it counts.
    time.sleep(MINUTE - time.time() % MINUTE)
    with cluster.scheduler(user, COUNT) as (pid, _):
        # At once, because the first statuses are written now.
        engine, everything, begin = arrivals.cpu_seconds(pid), cpu_seconds(pid), time.time()
        found = due_and_late(cluster.redis.client(), QUEUE, begin, begin + FIRST_STATUS_SECONDS, MINUTE)
        engine, everything = arrivals.cpu_seconds(pid) - engine, cpu_seconds(pid) - everything
        first_writes = cluster.first_writes(user, begin)
    if len(found) < COUNT * (FIRST_STATUS_SECONDS / MINUTE - 0.01):
        raise RuntimeError(f"{len(found)} runs arrived within {FIRST_STATUS_SECONDS} s")
    # Only what was due while first statuses were written counts.
    last = max(first_writes.values())
    late = sorted(seconds for due, seconds in found if due < last)
    p99 = quantile(late, 99) * 1000
    return [
        Row("operator.spread_10k.p50", quantile(late, 50) * 1000, "ms"),
        Row("operator.spread_10k.p99", p99, "ms", goal="< 10", ok=p99 < 10),
        Row(
            "operator.spread_10k.first_statuses",
            len(first_writes) / (last - begin) * MINUTE,
            "1/min",
            goal=f"{COUNT:,} in {FIRST_STATUS_SECONDS} s",
            ok=len(first_writes) == COUNT,
        ),
        Row("operator.spread_10k.cpu", everything, "s", "engine process", engine),
    ]


def _start(cluster: OperatorCluster, user: User, begin: int) -> list[Row]:
    """Start a scheduler for schedules that already have a status, and apply more schedules while it runs."""
    log_progress(f"{COUNT} schedules get a status")
    start = datetime.fromtimestamp(begin, UTC).isoformat()
    spec = {"schedule": f"@every {PERIOD}s", "jitterSeconds": PERIOD, "startTime": start}
    cluster.create(SCHEDULED_TASKS.format(user.namespace), _tasks(COUNT, **spec))
    with cluster.scheduler(user, COUNT):
        wait_until(
            lambda: min(cluster.versions(user.namespace).values()) >= 2,
            lambda: f"versions of ScheduledTasks: {Counter(cluster.versions(user.namespace).values())}",
            every=2,
        )
    log_progress("a new scheduler")
    started_at = time.time()
    with cluster.scheduler(user, COUNT, empty_redis=False) as (pid, registration_seconds):
        registration_cpu = cpu_seconds(pid)
        time.sleep(QUIET_SECONDS)
        writes = cluster.writes(user, started_at, time.time()).total()
        log_progress(f"{APPLIES} applies")
        apply_p99 = quantile(sorted(_apply(cluster, user) for _ in range(APPLIES)), 99)
        memory = pss_mb(pid)
    return [
        Row("operator.registered_10k", registration_seconds, "s", goal="< 8", ok=registration_seconds < 8),
        Row("operator.registered_10k.cpu", registration_cpu, "s"),
        Row("operator.pss_10k", memory, "MB", goal="< 250", ok=memory < 250),
        Row("operator.writes_at_start", writes, "writes", goal="0", ok=writes == 0),
        Row("operator.apply_to_registered.p99", apply_p99 * 1000, "ms", goal="< 1000", ok=apply_p99 < 1),
    ]


def _apply(cluster: OperatorCluster, user: User) -> float:
    """Return the seconds from an apply until the schedule is in Redis. The scheduler then knows its next due time."""
    client: Any = cluster.redis.client()
    name = f"applied-{time.monotonic_ns()}"
    started_at = time.monotonic()
    applied = Tasks(cluster.plane, user.namespace).apply(name, task="noop", queue="bench", schedule="@yearly")
    uid = applied["metadata"]["uid"]
    while client.zscore(keys.SCHEDULES, uid) is None:
        if time.monotonic() > started_at + MINUTE:
            break
        time.sleep(0.002)
    return time.monotonic() - started_at


def _steady(cluster: OperatorCluster, user: User, begin: float) -> list[Row]:
    """Measure writes, CPU time and memory while runs are enqueued and finish."""
    log_progress(f"each schedule every {PERIOD // 60} min")
    client: Any = cluster.redis.client()
    with cluster.scheduler(user, COUNT + APPLIES) as (pid, _), _worker(cluster):
        # On a busy machine, the first due times may have passed. The scheduler then catches up with all of them, and
        # the writes about these runs must not be counted.
        time.sleep(max(0.0, begin - time.time()) + (SETTLE_SECONDS if time.time() < begin else PERIOD))
        done, cpu, first = int(client.get("bench:done")), cpu_seconds(pid), time.time()
        time.sleep(STEADY_SECONDS)
        cpu, last = cpu_seconds(pid) - cpu, time.time()
        ended, memory = int(client.get("bench:done")) - done, pss_mb(pid)
    writes, minutes, share = cluster.writes(user, first, last), (last - first) / 60, cpu / (last - first) * 100
    status = sum(count for (kind, _), count in writes.items() if kind == "scheduledtasks")
    return [
        Row(
            "operator.steady_10k.status_writes",
            status / minutes,
            "1/min",
            "runs that ended",
            ended / minutes,
            "<= 1 per run that ended",
            status <= ended * _MARGIN,
        ),
        Row("operator.steady_10k.event_writes", (writes.total() - status) / minutes, "1/min"),
        Row("operator.steady_10k.cpu", share, "% of a core", goal="< 15", ok=share < 15),
        Row("operator.steady_10k.pss", memory, "MB", goal="< 250", ok=memory < 250),
    ]


def _no_op_writes(cluster: OperatorCluster, user: User, since: float) -> list[Row]:
    """Count the writes since a Unix time that changed nothing. No scheduler may run."""
    versions, writes = cluster.versions(user.namespace), cluster.writes(user, since, time.time())
    status_writes = sum(count for (kind, _), count in writes.items() if kind == "scheduledtasks")
    # Each resource was also stored once when it was created.
    no_op = status_writes - (versions.total() - len(versions))
    return [Row("operator.no_op_writes", no_op, "writes", f"of {status_writes}", goal="0", ok=no_op == 0)]


@contextmanager
def _worker(cluster: OperatorCluster) -> Iterator[None]:
    """Run a worker process with all observers, like a tier."""
    command = ["dramatiq", "bench.broker_peers.dramatiq_worker", "-p", "1", "-t", "4", "--skip-logging"]
    environment = {"PYTHONPATH": str(TESTS), "BENCH_KIND": "all", "BENCH_URL": cluster.redis.url}
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()
