"""Tests of the number of runs in each of the last hours, with a real Redis."""

import time
from typing import Any

import redis

from financehub_shared.monitor import RunState
from financehub_shared.monitor.outcome_history import outcomes_by_task, sum_outcomes
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.redis import keys
from support.run_events import end_event, start_event

#: The start of an hour.
T = 1_800_000_000.0


def test_outcomes_are_counted_in_the_hour_of_their_end(redis_client: redis.Redis) -> None:
    """Each run that ended counts once, older ones and those in progress do not, and failures of all tasks count."""
    writer = RecordWriter(redis_client, time.monotonic, 86_400)

    def end(id: str, at: float, outcome: RunState = RunState.SUCCEEDED, task: str = "task") -> None:
        names: dict[str, Any] = {"stats": keys.task_stats(task), "running": keys.task_running(task)}
        writer.record_end(end_event(id, outcome=outcome, task=task, **names) | {"finished_at": at})

    end("too-old", T - 7_200.1)
    end("first", T - 7_200)
    end("late", T - 3_600.5, RunState.DEAD_LETTERED)
    end("other", T + 10, RunState.DEAD_LETTERED, "other")
    for number in range(1_200):
        end(f"run-{number}", T + number / 10)
    writer.record_start(start_event("running"))
    writer.flush()
    by_task = outcomes_by_task(redis_client, T + 1_800, hours=3)
    hours = sum_outcomes(by_task, T + 1_800, hours=3)
    assert [(hour.start, hour.ended, hour.failed) for hour in hours] == [
        (T - 7_200, 2, 1),
        (T - 3_600, 0, 0),
        (T, 1_201, 1),
    ]
    assert {task: [(hour.ended, hour.failed) for hour in hours] for task, hours in by_task.items()} == {
        "task": [(2, 1), (0, 0), (1_200, 0)],
        "other": [(0, 0), (0, 0), (1, 1)],
    }


def test_outcomes_of_a_new_fleet_are_zero(redis_client: redis.Redis) -> None:
    """Without any run, there is a number for each hour."""
    assert [hour.ended for hour in sum_outcomes(outcomes_by_task(redis_client, T), T)] == [0] * 24
