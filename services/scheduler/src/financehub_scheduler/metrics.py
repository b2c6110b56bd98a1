"""What the scheduler knows of its schedules at a scrape: how many there are, and which of them fail again and again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import redis
from prometheus_client import Histogram
from prometheus_client.metrics_core import Metric

from financehub_scheduler.core.observer import OTHER, Observer
from financehub_scheduler.core.state import Live, next_times
from financehub_shared.core.clock import Clock
from financehub_shared.health.periods import DATASETS
from financehub_shared.metrics.families import gauge
from financehub_shared.redis import keys

STATES = ("active", "suspended", "stopped")
_FETCHING = frozenset(DATASETS.values())
#: Schedules that are told with their times; next times cost some 50 µs each.
_TIMED = 200
#: How often the event loop is timed.
LOOP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class KnownSchedule:
    """What freshness depends on of one schedule; fields as of `ScheduleInfo`."""

    task: str
    queue: str
    suspended: bool = False
    next_times: tuple[float, ...] = ()
    last_due_at: float | None = None
    runs: int = 0


def known_schedules(live: Mapping[str, Live]) -> Sequence[KnownSchedule]:
    """What a fleet with too many schedules to read from Redis is judged by.

    Schedules of tasks that fetch data are told with their times; of the others, one for each pair of task and queue.

    Args:
        live: uid → schedule, which another thread changes.
    """
    schedules = list(live.values())
    fetching = [one for one in schedules if one.schedule.task in _FETCHING][:_TIMED]
    pairs = {(one.schedule.task, one.schedule.queue) for one in schedules}
    return [*map(_known, fetching), *(KnownSchedule(task, queue, suspended=True) for task, queue in sorted(pairs))]


def _known(one: Live) -> KnownSchedule:
    schedule = one.schedule
    # `mark` is the last due time that is over: with one, a run was due
    return KnownSchedule(
        schedule.task,
        schedule.queue,
        suspended=schedule.suspended,
        next_times=tuple(next_times(one, 2)),
        last_due_at=one.mark or None,
        runs=2 if one.mark else 0,
    )


def state_metrics(live: Mapping[str, Live]) -> Iterable[Metric]:
    """Schedules by state.

    Args:
        live: uid → schedule, which another thread changes.
    """
    counts = Counter(_state(one) for one in list(live.values()))
    text = "Schedules that this scheduler knows"
    return [gauge("schedules", text, ["state"], {(state,): float(counts[state]) for state in STATES})]


def _state(one: Live) -> str:
    if one.schedule.suspended:
        return "suspended"
    return "stopped" if one.problem else "active"


class FailingSchedules:
    """How often each schedule has failed in a row.

    Args:
        live: uid → schedule, which another thread changes.
        observer: knows which schedules have their own series; the worst of the rest stands for all of them.
        client: Redis of the queues, with a short timeout.
    """

    def __init__(self, live: Mapping[str, Live], observer: Observer, client: "redis.Redis") -> None:
        self._live = live
        self._observer = observer
        self._client = client

    def read(self) -> Iterable[Metric]:
        """The family.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        failing = cast("dict[bytes, bytes]", self._client.hgetall(keys.SCHEDULES_FAILING))
        labels = self._observer.labels
        values = {(name,): 0.0 for name in labels}
        for uid, count in failing.items():
            live = self._live.get(uid.decode(errors="replace"))
            if live is not None:
                key = (live.schedule.name if live.schedule.name in labels else OTHER,)
                values[key] = max(values.get(key, 0.0), float(count))
        text = "Runs in a row that were dead-lettered or lost"
        return [gauge("schedule_consecutive_failures", text, ["scheduledtask"], values)]


async def time_event_loop(lag: Histogram, clock: Clock) -> None:
    """Observe forever how late the event loop wakes up.

    Args:
        lag: where to, seconds.
        clock: what is slept on.
    """
    while True:
        started = clock.monotonic()
        await clock.sleep(LOOP_SECONDS)
        lag.observe(max(0.0, clock.monotonic() - started - LOOP_SECONDS))
