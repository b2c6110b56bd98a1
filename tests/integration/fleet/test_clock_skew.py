"""Tests of processes whose clock is an hour wrong: ages, delays and due times are those of Redis."""

import re
import time

import pytest
import redis

from financehub_shared.core.settings import load_settings
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import queue_keys as keys
from financehub_shared.schedules import list_schedules
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet
from support.waiting import eventually

pytestmark = pytest.mark.faults

TASK = "cleanup_old_cache_task"
NAME = "default/every-second"
HOUR = 3_600
AHEAD, BEHIND = float(HOUR), -float(HOUR)


def counts(fleet: Fleet) -> dict[str, int]:
    """Return the numbers of enqueued, missed, succeeded and skipped runs, or zeros until they are known."""
    with fleet.redis() as client:
        known = [schedule for schedule in list_schedules(client) if schedule.name == NAME]
        stats = TaskMonitor(client).get_all_stats().get(TASK)
    if not known or stats is None:
        return {"enqueued": 0, "missed": 0, "succeeded": 0, "skipped": 0}
    return {
        "enqueued": known[0].runs,
        "missed": known[0].missed,
        "succeeded": stats.succeeded,
        "skipped": stats.skipped,
    }


@pytest.mark.parametrize("shift", [AHEAD, BEHIND])
def test_worker_with_a_wrong_clock_runs_messages_with_an_age_limit(fleet: StartFleet, shift: float) -> None:
    """No message is skipped as too old, and health names the clock of the worker."""
    running = fleet()
    running.schedule("every-second", TASK, "@every 1s", "  startingDeadlineSeconds: 60\n  concurrencyPolicy: Allow\n")
    running.start_scheduler()
    running.start_tier("low", shift=shift)
    eventually(lambda: counts(running)["succeeded"] >= 5, "runs succeed")
    assert counts(running)["skipped"] == 0
    side = "ahead of" if shift == AHEAD else "behind"
    for name in ("scheduler", "low"):
        eventually(
            lambda name=name: any(
                re.search(rf"^clocks: the clocks of 1 of 2 processes differ.*(1h 0m|59m \d+s) {side} it", text)
                for text in running.health(name).get("problems", [])
            ),
            "health names the clock",
        )
    for path in ("/livez", "/readyz"):
        eventually(lambda path=path: running.get("low", path).get("problems") == [], f"{path} has no problem")


@pytest.mark.parametrize("shift", [AHEAD, BEHIND])
def test_worker_with_a_wrong_clock_starts_delayed_messages_on_time(fleet: StartFleet, shift: float) -> None:
    """A message that a right clock delays by seconds is neither started at once nor an hour late."""
    running = fleet()
    running.start_tier("low", shift=shift)
    broker = build_broker(load_settings({"REDIS_URL": running.server.url}))
    before = time.monotonic()
    enqueue(broker, TASK, delay=3)
    with running.redis() as client:
        monitor = TaskMonitor(client)
        eventually(lambda: (stats := monitor.get_all_stats().get(TASK)) and stats.succeeded == 1, "the run succeeds")
    assert time.monotonic() - before > 2


@pytest.mark.parametrize("shift", [AHEAD, BEHIND])
def test_scheduler_with_a_wrong_clock_enqueues_each_due_time_once(fleet: StartFleet, shift: float) -> None:
    """Two schedulers, one of them an hour wrong, settle each due time once and at the time of Redis."""
    running = fleet()
    running.schedule("every-second", TASK, "@every 1s", "  catchUp: All\n  concurrencyPolicy: Allow\n")
    running.start_scheduler("wrong", shift=shift)
    running.start_tier("low")
    eventually(lambda: counts(running)["succeeded"] >= 3, "runs succeed")
    running.start_scheduler("right")
    eventually(lambda: running.get("right", "/readyz").get("problems") == [], "both schedulers are ready")
    before, started = counts(running)["enqueued"], time.time()
    eventually(lambda: counts(running)["enqueued"] >= before + 8, "runs are enqueued")
    after, seconds = counts(running)["enqueued"], time.time() - started
    # A busy scheduler may have been late before. A wrong hour would have a hundred due times at once.
    assert after - before <= seconds + 30
    assert counts(running)["missed"] == 0
    with running.redis() as client:
        (schedule,) = list_schedules(client)
    assert schedule.last_due_at == pytest.approx(time.time(), abs=60)
    assert running.get("wrong", "/livez")["problems"] == []
    eventually(lambda: counts(running)["succeeded"] >= after, "every run succeeds")


def test_clock_that_is_set_while_messages_wait_has_no_effect(fleet: StartFleet) -> None:
    """A worker whose clock is set an hour back and then an hour forward starts a delayed message on time."""
    running = fleet()
    running.start_tier("low", shift=0.001)
    eventually(lambda: running.get("low", "/readyz").get("problems") == [], "the worker is ready")
    broker = build_broker(load_settings({"REDIS_URL": running.server.url}))
    with running.redis() as client:
        monitor = TaskMonitor(client)
        for number, shift in enumerate((BEHIND, AHEAD), start=1):
            before = time.monotonic()
            enqueue(broker, TASK, delay=8, options={"max_age": 60_000})
            eventually(
                lambda: client.scard(keys.acks(worker_of(client), "low.DQ")) == 1, "the message waits in the worker"
            )
            running.set_clock("low", shift)
            eventually(
                lambda number=number: (stats := monitor.get_all_stats().get(TASK)) and stats.succeeded == number,
                "the run succeeds",
            )
            assert time.monotonic() - before > 2
        assert monitor.get_all_stats()[TASK].skipped == 0


def worker_of(client: "redis.Redis") -> str:
    """Return the broker's id of the only worker."""
    (worker,) = client.zrange(keys.HEARTBEATS, 0, -1)
    return worker.decode()
