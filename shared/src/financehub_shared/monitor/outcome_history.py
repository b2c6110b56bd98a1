"""Counts the runs that ended in each of the last hours, and those of them that failed."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import redis

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.monitor.run_filter import RunFilter
from financehub_shared.monitor.run_index import read_indexes, task_names
from financehub_shared.monitor.run_state import RunState
from financehub_shared.redis import keys

#: Number of runs that one script call looks at: only times, or also states.
_PART_OF_TIMES, _PART_OF_STATES = 2_000, 500


@dataclass(frozen=True, slots=True)
class OutcomeHour:
    """The runs that ended in one hour.

    Args:
        start: Start of the hour in Unix seconds.
        ended: Number of runs that ended.
        dead_lettered, lost: Number of those with this outcome.
    """

    start: float
    ended: int
    dead_lettered: int
    lost: int

    @property
    def failed(self) -> int:
        """Number of runs that were dead-lettered or lost."""
        return self.dead_lettered + self.lost


def outcomes_by_task(
    client: "redis.Redis", now: float, hours: int = 24, *, tasks: Sequence[str] | None = None
) -> dict[str, list[OutcomeHour]]:
    """Return task → its last hours, oldest first. The last one is the current hour.

    The hours are counted from the run records, so those of a task with more than `RUNS_KEPT` runs may miss the oldest.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        now: The current time in Unix seconds.
        hours: Number of hours.
        tasks: Names of the tasks; None for all that have run.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    names = task_names(client) if tasks is None else list(tasks)
    first = int(now // HOUR_SECONDS) - hours + 1
    since = float(first * HOUR_SECONDS)
    ended = _count(client, names, RunFilter(since=since), _PART_OF_TIMES)
    dead, lost = (
        _count(client, names, RunFilter(state=state, since=since), _PART_OF_STATES)
        for state in (RunState.DEAD_LETTERED, RunState.LOST)
    )
    return {
        name: [
            OutcomeHour(float(hour * HOUR_SECONDS), ended[name][hour], dead[name][hour], lost[name][hour])
            for hour in range(first, first + hours)
        ]
        for name in names
    }


def no_outcomes(now: float, hours: int = 24) -> list[OutcomeHour]:
    """Return the last hours of a task that has not run."""
    first = int(now // HOUR_SECONDS) - hours + 1
    return [OutcomeHour(float((first + number) * HOUR_SECONDS), 0, 0, 0) for number in range(hours)]


def sum_outcomes(by_task: Mapping[str, Sequence[OutcomeHour]], now: float, hours: int = 24) -> list[OutcomeHour]:
    """Return the sums of the hours of several tasks. Without a task, each hour has no run.

    Args:
        by_task: Task → its hours, from `outcomes_by_task`.
        now: The time of the reading in Unix seconds.
        hours: Number of hours.
    """
    together = zip(*(by_task.values() or [no_outcomes(now, hours)]), strict=True)
    return [
        OutcomeHour(
            same[0].start,
            sum(each.ended for each in same),
            sum(each.dead_lettered for each in same),
            sum(each.lost for each in same),
        )
        for same in together
    ]


def _count(client: "redis.Redis", tasks: Sequence[str], wanted: RunFilter, part: int) -> Mapping[str, Counter[int]]:
    """Return task → hour → number of its runs that ended."""
    readers = read_indexes(client, [keys.task_recent(task) for task in tasks], wanted, None, part)
    return {
        # Another program may have written an infinite time.
        task: Counter(int(at // HOUR_SECONDS) for at, _, is_wanted in reader if is_wanted and math.isfinite(at))
        for task, reader in zip(tasks, readers, strict=True)
    }
