"""Counts the runs that ended in each of the last hours, and those of them that failed."""

from collections import Counter
from dataclasses import dataclass

import redis

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.monitor.run_filter import RunFilter
from financehub_shared.monitor.run_index import index_keys, read_entries
from financehub_shared.monitor.run_state import RunState

#: Number of runs that one script call looks at: only times, or also states.
_PART_OF_TIMES, _PART_OF_STATES = 2_000, 500
_FAILURES = (RunState.DEAD_LETTERED, RunState.LOST)


@dataclass(frozen=True, slots=True)
class OutcomeHour:
    """The runs that ended in one hour.

    Args:
        start: Start of the hour in Unix seconds.
        ended: Number of runs that ended.
        failed: Number of those that were dead-lettered or lost.
    """

    start: float
    ended: int
    failed: int


def outcomes_by_hour(client: "redis.Redis", now: float, hours: int = 24) -> list[OutcomeHour]:
    """Return the last hours, oldest first. The last one is the current hour.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        now: The current time in Unix seconds.
        hours: Number of hours.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    first = int(now // HOUR_SECONDS) - hours + 1
    since = float(first * HOUR_SECONDS)
    ended_indexes = index_keys(client, RunFilter(state=RunState.SUCCEEDED))
    ended = _count(client, ended_indexes, RunFilter(since=since), _PART_OF_TIMES)
    failed: Counter[int] = Counter()
    for state in _FAILURES:
        failed += _count(client, ended_indexes, RunFilter(state=state, since=since), _PART_OF_STATES)
    return [OutcomeHour(float(hour * HOUR_SECONDS), ended[hour], failed[hour]) for hour in range(first, first + hours)]


def _count(client: "redis.Redis", indexes: list[str], wanted: RunFilter, part: int) -> Counter[int]:
    """Return hour → number of runs."""
    return Counter(int(at // HOUR_SECONDS) for at, _ in read_entries(client, indexes, wanted, None, part))
