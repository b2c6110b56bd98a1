"""Tests of the judgment of who is missing for a queue (C2), and whether its workers know a task (C5)."""

import json
from dataclasses import asdict, replace

import pytest

from financehub_shared.health.presence import Absence, missing_scheduler, missing_worker
from financehub_shared.health.processes import ProcessInfo

HIGH = ProcessInfo("w-1", "high", "a", 1, 0.0, queues=("high",), actors=("fetch_crypto_prices_task", "send_report"))
LOW = ProcessInfo("w-2", "low", "b", 2, 0.0, queues=("low",), actors=("health_check_task",))
OLD = ProcessInfo("w-3", "high", "c", 3, 0.0, queues=("high",))
SCHEDULER = ProcessInfo("s-1", "scheduler", "d", 4, 0.0)


def draining(process: ProcessInfo) -> ProcessInfo:
    """Return the process while it is shutting down."""
    return replace(process, draining=True)


@pytest.mark.parametrize(
    ("processes", "queue", "task", "problem", "advice"),
    [
        ([HIGH, LOW], "high", "", "", ""),
        ([HIGH, LOW], "high", "send_report", "", ""),
        ([HIGH, draining(HIGH)], "high", "send_report", "", ""),
        ([], "high", "x", "no live worker serves queue 'high'", "start a worker for it"),
        ([LOW, SCHEDULER], "high", "x", "no live worker serves queue 'high'", "start a worker for it"),
        ([HIGH], "hihg", "x", "no live worker serves queue 'hihg'", "start a worker for it; did you mean high?"),
        (
            [HIGH, LOW],
            "reports",
            "x",
            "no live worker serves queue 'reports'",
            "start a worker for it; live workers serve high, low",
        ),
        ([draining(HIGH)], "high", "x", "every worker of queue 'high' is shutting down", "start another one"),
        (
            [HIGH, LOW],
            "high",
            "health_check_task",
            "no worker of queue 'high' knows health_check_task",
            "use the queue low, whose workers know it",
        ),
        (
            [HIGH],
            "high",
            "send_reprot",
            "no worker of queue 'high' knows send_reprot",
            "start a worker that declares it; did you mean send_report?",
        ),
        (
            [HIGH],
            "high",
            "my_task",
            "no worker of queue 'high' knows my_task",
            "start a worker that declares it; they know fetch_crypto_prices_task, send_report",
        ),
        # a release that does not announce its tasks may know every task
        ([OLD], "high", "my_task", "", ""),
        ([HIGH, OLD], "high", "my_task", "", ""),
        # a worker that is shutting down takes no message, so what it knows does not matter
        ([HIGH, draining(OLD)], "high", "my_task", "no worker of queue 'high' knows my_task", None),
        # a worker without any task
        (
            [replace(HIGH, actors=())],
            "high",
            "x",
            "no worker of queue 'high' knows x",
            "start a worker that declares it",
        ),
    ],
)
def test_missing_worker_names_who_is_missing_and_what_to_do(
    processes: list[ProcessInfo], queue: str, task: str, problem: str, advice: str | None
) -> None:
    """No worker, only workers that shut down, and workers that do not know the task are told apart."""
    absence = missing_worker(processes, queue, task)
    assert (absence.problem if absence else "") == problem
    assert advice is None or (absence.advice if absence else "") == advice
    assert absence is None or absence.is_final == ("knows" in problem)


def test_missing_scheduler_only_counts_live_schedulers() -> None:
    """A worker does not count as a scheduler."""
    assert missing_scheduler([HIGH, SCHEDULER]) is None
    assert missing_scheduler([HIGH]) == Absence("no scheduler is alive", "start one")


def test_sentence_says_whether_the_work_waits_or_fails() -> None:
    """A message without a worker waits, and one of an unknown task becomes a dead letter."""
    waits, fails = missing_worker([], "high"), missing_worker([HIGH], "high", "x")
    assert waits is not None
    assert fails is not None
    assert waits.sentence("the run") == (
        "no live worker serves queue 'high'; the run waits until one starts (start a worker for it)"
    )
    assert fails.sentence("the run").startswith("no worker of queue 'high' knows x; the run becomes a dead letter (")


def test_announced_tasks_survive_the_record_of_a_process() -> None:
    """The tasks are read as they were written, and records of older releases have none."""
    assert ProcessInfo.from_json(json.dumps(asdict(HIGH)).encode()) == HIGH
    assert ProcessInfo.from_json(json.dumps({**asdict(HIGH), "actors": None}).encode()).actors is None
