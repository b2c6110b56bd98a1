"""A chain of schedules with real schedulers and a real worker, which record and find the successes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from financehub_scheduler.successes import due_time_of_success
from financehub_shared.monitor import RunRecord
from financehub_shared.schedules import list_schedules, request_trigger
from support.observed import ObservedWorker
from support.schedules import SchedulerProcess, resource, write
from support.waiting import eventually

#: Number of the chain during which a scheduler is killed.
_KILLED_DURING = 3


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Callable[[], SchedulerProcess]]:
    """Start scheduler processes with the folder `schedules`. They are stopped after the test."""
    (tmp_path / "schedules").mkdir()
    running: list[SchedulerProcess] = []

    def begin() -> SchedulerProcess:
        log = tmp_path / f"scheduler-{len(running)}.log"
        running.append(SchedulerProcess(redis_url, tmp_path / "schedules", log).start())
        return running[-1]

    yield begin
    for each in running:
        each.end()


def test_chain_with_two_schedulers_runs_once_after_each_success(
    redis_url: str, redis_client: "redis.Redis", tmp_path: Path, start: Callable[[], SchedulerProcess]
) -> None:
    """Each success of a real run starts one run of the next schedule, although a scheduler is killed meanwhile.

    The next run of `prices` is requested when the chain has ended, because successes within one reading give their
    followers one run, and a busy machine may take seconds for a reading.
    """
    always = {"queue": "high", "concurrencyPolicy": "Allow"}
    write(
        tmp_path / "schedules",
        resource("prices", task="prices_task", schedule="@yearly", **always),
        resource("indicators", task="indicators_task", after="prices", **always),
        resource("report", task="report_task", after="indicators", **always),
    )
    fleet = ObservedWorker(redis_url)

    def prices_task() -> None: ...
    def indicators_task() -> None: ...
    def report_task() -> None: ...

    for task in (prices_task, indicators_task, report_task):
        fleet.actor(task)
    schedulers = [start(), start()]
    eventually(lambda: len(list_schedules(redis_client)) == 3)
    uids = {info.name.partition("/")[2]: info.uid for info in list_schedules(redis_client)}

    def ended(name: str) -> list[RunRecord]:
        """Return the ended runs of a schedule, oldest first."""
        runs = [run for run in fleet.monitor.get_schedule_runs(uids[name]) if run.finished_at is not None]
        return sorted(runs, key=lambda run: run.finished_at or 0)

    with fleet.working():
        for count in (1, 2, 3, 4):
            request_trigger(redis_client, "prices")
            if count == _KILLED_DURING:
                schedulers[0].kill()
            eventually(lambda count=count: len(ended("report")) == count, f"chain {count} has ended")
    for name, follower in (("prices", "indicators"), ("indicators", "report")):
        successes = [due_time_of_success(run.finished_at or 0) for run in ended(name)]
        assert [run.due_at for run in ended(follower)] == successes
        assert all((run.finished_at or 0) > (run.due_at or 0) for run in ended(follower))
    infos = {info.name.partition("/")[2]: info for info in list_schedules(redis_client)}
    assert {infos[name].runs for name in ("indicators", "report")} == {4}
    assert {(info.missed, info.problem, *info.skipped.values()) for info in infos.values()} == {(0, "")}
