"""Tests of a scheduler whose companion process or engine process is killed, hangs or is stopped."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import redis

from financehub_shared.redis import keys
from support.companions import companion_of, http_get, is_alive, kill_companion
from support.operator import Tasks, wait_until_ready
from support.schedules import SchedulerProcess, messages
from support.stalls import Stalls
from support.waiting import eventually

pytestmark = pytest.mark.faults

Start = Callable[..., SchedulerProcess]
#: Schedules that are due each second.
COUNT = 5
#: Limit of the lateness of a run in seconds while the machine is not stalled, far above the usual one.
LATE_SECONDS = 2.0
#: Time in which a new companion writes statuses again. Its imports take seconds on a busy machine.
RETURN_SECONDS = 120.0


@pytest.fixture
def scheduler(tasks: Tasks, start_operator: Start) -> SchedulerProcess:
    """A scheduler that is ready, with schedules that are due each second."""
    for number in range(COUNT):
        tasks.apply(f"s{number}", schedule="@every 1s", concurrencyPolicy="Allow", maxQueueDepth=1_000)
    return wait_until_ready(start_operator())


@pytest.fixture
def check_runs(scheduler: SchedulerProcess, redis_client: "redis.Redis") -> Iterator[Callable[[], None]]:
    """Check that no run since the beginning of the test was late, lost or doubled."""
    begin = time.time()

    def check() -> None:
        """Check the runs whose time came at least two seconds ago."""
        end = int(time.time()) - 2
        eventually(lambda: _enqueued_until(redis_client) >= end, "each schedule has its runs until then")
        lags = [line["lag_seconds"] for line in scheduler.events("run_enqueued") if begin < line["due_at"] <= end]
        assert lags
        assert max(lags) < LATE_SECONDS + stalls.longest
        due: dict[str, list[int]] = {}
        for message in messages(redis_client):
            due.setdefault(message["options"]["schedule"], []).append(message["options"]["due_at"] // 1000)
        assert len(due) == COUNT
        for times in due.values():
            wanted = [at for at in times if begin < at <= end]
            assert wanted == list(range(int(begin) + 1, end + 1))
        lines = scheduler.events("schedule_runs_missed", "schedule_removed", "schedule_superseded")
        assert [line for line in lines if datetime.fromisoformat(line["timestamp"]).timestamp() > begin + 1] == []

    with Stalls() as stalls:
        yield check


def _enqueued_until(client: "redis.Redis") -> float:
    """Return the due time until which all schedules have enqueued their runs, or 0 if one of them has none."""
    newest = {message["options"]["schedule"]: message["options"]["due_at"] / 1000 for message in messages(client)}
    return min(newest.values()) if len(newest) == COUNT else 0.0


def sleep(seconds: float) -> None:
    """Keep a fault active, or show that nothing happens."""
    time.sleep(seconds)


def test_killed_companion_under_load_delays_no_run(
    scheduler: SchedulerProcess, tasks: Tasks, check_runs: Callable[[], None]
) -> None:
    """Companions that are killed one after the other are replaced. Nothing is late, and status goes on."""
    eventually(lambda: tasks.condition("Ready", "s0").get("status") == "True", "the status is written")
    for _ in range(3):
        killed = kill_companion(scheduler)
        companion_of(scheduler, other_than=killed)
        sleep(2)
    eventually(lambda: scheduler.events("companion_restarted"), "a companion works again", within=RETURN_SECONDS)
    tasks.apply("s0", schedule="@every 1s", concurrencyPolicy="Allow", maxQueueDepth=1_000, retries=2)
    eventually(
        lambda: tasks.condition("Ready", "s0").get("observedGeneration") == 2, "status goes on", within=RETURN_SECONDS
    )
    assert len(scheduler.events("companion_ended")) >= 3
    eventually(lambda: http_get(scheduler, "/readyz")[0] == 200, "it is ready", within=RETURN_SECONDS, ignored=OSError)
    check_runs()


def test_hung_companion_is_killed_and_delays_no_run(
    scheduler: SchedulerProcess, tasks: Tasks, check_runs: Callable[[], None]
) -> None:
    """A companion that hangs is noticed before the liveness probe restarts the pod. Runs go on in the meantime."""
    hung = companion_of(scheduler)
    os.kill(hung, signal.SIGSTOP)
    eventually(lambda: scheduler.events("companion_stalled"), "it is noticed", within=50)
    eventually(lambda: not is_alive(hung), "it is killed")
    eventually(lambda: scheduler.events("companion_restarted"), "it is replaced", within=RETURN_SECONDS)
    tasks.apply("s0", schedule="@every 1s", concurrencyPolicy="Allow", maxQueueDepth=1_000, retries=2)
    eventually(
        lambda: tasks.condition("Ready", "s0").get("observedGeneration") == 2, "status goes on", within=RETURN_SECONDS
    )
    check_runs()


def test_killed_engine_takes_its_companion_along(scheduler: SchedulerProcess) -> None:
    """No process is left that would write statuses or answer probes, even if the companion hangs."""
    companion = companion_of(scheduler)
    os.kill(companion, signal.SIGSTOP)
    scheduler.kill()
    eventually(lambda: not is_alive(companion), "the companion is gone")


def test_hung_engine_fails_the_liveness_probe(scheduler: SchedulerProcess) -> None:
    """The companion answers probes, and says that the engine does not work."""
    assert http_get(scheduler, "/livez")[0] == 200
    scheduler.process.send_signal(signal.SIGSTOP)
    try:
        eventually(lambda: http_get(scheduler, "/livez")[0] == 503, "liveness fails", within=60)
        status, body = http_get(scheduler, "/livez")
        assert "the loop has been stalled" in body, (status, body)
    finally:
        scheduler.process.send_signal(signal.SIGCONT)
    eventually(lambda: http_get(scheduler, "/livez")[0] == 200, "it works again")
    sleep(2)
    # It was the engine that hung, and the companion need not be replaced.
    assert scheduler.events("companion_stalled", "companion_ended") == []


def test_sigterm_stops_both_processes_in_order(scheduler: SchedulerProcess, tasks: Tasks) -> None:
    """The companion releases the Lease and ends, and then the engine process does, with the last line of the log."""
    eventually(lambda: tasks.status("s0"), "the status is written")
    companion = companion_of(scheduler)
    assert scheduler.stop() == 0
    assert not is_alive(companion)
    lines = scheduler.events("lease_released", "companion_ended", "companion_killed", "scheduler_stopped")
    assert [line["event"] for line in lines] == ["lease_released", "scheduler_stopped"]


def test_sigterm_with_a_hung_companion_ends_in_time(scheduler: SchedulerProcess) -> None:
    """The shutdown does not wait for a companion that hangs longer than a pod has."""
    companion = companion_of(scheduler)
    os.kill(companion, signal.SIGSTOP)
    begin = time.monotonic()
    assert scheduler.stop() == 0
    assert time.monotonic() - begin < 25
    assert not is_alive(companion)


def test_sigterm_while_the_companion_hangs_at_its_start_ends_in_time(start_operator: Start) -> None:
    """A pod that is deleted early does not wait for the imports and the first message of its companion."""
    scheduler = start_operator()
    companion = companion_of(scheduler)
    os.kill(companion, signal.SIGSTOP)
    eventually(lambda: _handles_sigterm(scheduler.process.pid), "the engine process handles the signal")
    begin = time.monotonic()
    assert scheduler.stop() == 0
    assert time.monotonic() - begin < 20
    assert not is_alive(companion)
    assert scheduler.events("scheduler_stopped", "shutdown_failed")[-1]["event"] == "scheduler_stopped"


def test_signal_to_the_companion_alone_is_ignored(scheduler: SchedulerProcess) -> None:
    """A signal to all processes of a terminal stops the engine process, which stops the companion."""
    companion = companion_of(scheduler)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(companion, number)
    sleep(2)
    assert companion_of(scheduler) == companion


def test_deletion_while_the_companion_is_down_is_noticed(
    scheduler: SchedulerProcess, tasks: Tasks, redis_client: "redis.Redis"
) -> None:
    """The next companion lists what is left. Only the deleted schedule is removed, and the others run on."""
    tasks.apply("gone", schedule="@yearly")
    uid = tasks.get("gone")["metadata"]["uid"]
    eventually(lambda: redis_client.zscore(keys.SCHEDULES, uid) is not None, "it is registered")
    companion = companion_of(scheduler)
    os.kill(companion, signal.SIGSTOP)
    tasks.delete("gone")
    tasks.apply("new", schedule="@yearly")
    os.kill(companion, signal.SIGKILL)
    eventually(lambda: redis_client.zscore(keys.SCHEDULES, uid) is None, "it is removed", within=RETURN_SECONDS)
    added = tasks.get("new")["metadata"]["uid"]
    eventually(lambda: redis_client.zscore(keys.SCHEDULES, added) is not None, "the new one is registered")
    # The log line follows a moment after the removal from Redis.
    eventually(lambda: scheduler.events("schedule_removed"), "the removal is logged")
    removed = [line["schedule"] for line in scheduler.events("schedule_removed")]
    assert removed == [f"{tasks.namespace}/gone"]
    uids = [tasks.get(f"s{number}")["metadata"]["uid"] for number in range(COUNT)]
    assert None not in redis_client.zmscore(keys.SCHEDULES, uids)


def test_metrics_of_the_process_include_both(scheduler: SchedulerProcess) -> None:
    """`process_*` covers the engine process and the companion, because the container has both."""
    companion = companion_of(scheduler)
    port = scheduler.events("health_server_started")[-1]["port"]

    def series() -> list[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            found: str = answer.read().decode()
        return found.splitlines()

    def measured_by_the_engine() -> bool:
        # The companion hears of a run and of a delay within a second.
        names = {line.partition("{")[0] for line in series()}
        return {"financehub_schedule_lag_seconds_count", "financehub_event_loop_lag_seconds_count"} <= names

    eventually(measured_by_the_engine, "the metrics contain what the engine has measured")

    def covers_both() -> bool:
        # The memory grows until both have done everything once, and is read at different times.
        (line,) = [line for line in series() if line.startswith("process_resident_memory_bytes")]
        both = _resident(scheduler.process.pid) + _resident(companion)
        return abs(float(line.split()[-1]) / both - 1) < 0.1

    eventually(covers_both, "the memory is that of both processes")


def _handles_sigterm(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    (caught,) = [line.split()[1] for line in lines if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def _resident(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
