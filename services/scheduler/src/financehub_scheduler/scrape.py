"""What the scheduler knows of its schedules at a scrape: how many there are, and which of them fail again and again."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import redis
from prometheus_client import Histogram
from prometheus_client.metrics_core import Metric

from financehub_scheduler.live import Live
from financehub_scheduler.observer import OTHER, Observer
from financehub_shared.clock import Clock
from financehub_shared.metrics.families import gauge
from financehub_shared.store import keys

STATES = ("active", "suspended", "stopped")
#: How often the event loop is timed.
LOOP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class KnownSchedule:
    """Task and queue of at least one schedule: all that counts where there are too many schedules to read."""

    task: str
    queue: str
    suspended: bool = False
    next_times: tuple[float, ...] = ()
    last_due_at: float | None = None


def known_schedules(live: Mapping[str, Live]) -> Sequence[KnownSchedule]:
    """One entry per pair of task and queue.

    Args:
        live: uid → schedule, which another thread changes.
    """
    pairs = {(one.schedule.task, one.schedule.queue) for one in list(live.values())}
    return [KnownSchedule(task, queue) for task, queue in sorted(pairs)]


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
        observer: knows which schedules have series of their own; the worst of the rest stands for all of them.
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
        await asyncio.sleep(0)
