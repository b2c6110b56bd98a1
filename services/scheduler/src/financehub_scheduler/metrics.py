"""Metrics computed at each scrape: the number of schedules by state, and the failures in a row of each schedule."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import redis
from prometheus_client.metrics_core import Metric

from financehub_scheduler.core.reporter import OTHER, Reporter
from financehub_scheduler.core.state import ScheduleState, next_times
from financehub_shared.core.clock import Clock
from financehub_shared.health.freshness import DATASETS
from financehub_shared.metrics.families import gauge
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable
from financehub_shared.redis.text import decode, read_number

STATES = ("active", "suspended", "paused", "stopped")
_FETCHING = frozenset(DATASETS.values())
#: Maximum number of schedules that are reported with their next times, which take about 50 µs each.
_MAX_WITH_TIMES = 200
#: Seconds between two measurements of the event loop's lag.
LOOP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class KnownSchedule:
    """The data about one schedule that health checks need. The other fields have the same meaning as in `ScheduleInfo`.

    Args:
        times_known: False for an entry without times, which represents all schedules with its task and queue.
    """

    task: str
    queue: str
    suspended: bool = False
    is_paused: bool = False
    times_known: bool = True
    next_times: tuple[float, ...] = ()
    last_due_at: float | None = None
    runs: int = 0
    name: str = ""
    after: str = ""


def known_schedules(states: Mapping[str, ScheduleState]) -> Sequence[KnownSchedule]:
    """Return representative schedules for the health report of a fleet with too many schedules to read from Redis.

    Schedules of tasks that fetch data are included with their times, and so are the predecessors that they follow. In
    addition, each pair of task and queue is included once, without times, so that every queue is known.

    Args:
        states: uid → state of each active schedule; another thread changes it.
    """
    all_states = list(states.values())
    fetching = [state for state in all_states if state.schedule.task in _FETCHING][:_MAX_WITH_TIMES]
    pairs = {(state.schedule.task, state.schedule.queue) for state in all_states}
    return [
        *map(_known, _with_predecessors(fetching, all_states)),
        *(KnownSchedule(task, queue, times_known=False) for task, queue in sorted(pairs)),
    ]


def _with_predecessors(chosen: Sequence[ScheduleState], all_states: Sequence[ScheduleState]) -> list[ScheduleState]:
    """Return the chosen schedules, and all that they follow."""
    found = {state.schedule.name: state for state in chosen}
    if any(state.schedule.after for state in chosen):
        by_name = {state.schedule.name: state for state in all_states}
        for state in chosen:
            after = state.schedule.after
            while after in by_name and after not in found:
                found[after] = by_name[after]
                after = by_name[after].schedule.after
    return list(found.values())


def _known(state: ScheduleState) -> KnownSchedule:
    schedule, mark = state.schedule, state.high_water_mark
    # A high-water mark means that a run was due.
    return KnownSchedule(
        schedule.task,
        schedule.queue,
        suspended=schedule.suspended,
        is_paused=state.paused is not None,
        next_times=tuple(next_times(state, 2)),
        last_due_at=mark or None,
        runs=2 if mark else 0,
        name=schedule.name,
        after=schedule.after,
    )


def state_metrics(states: Mapping[str, ScheduleState]) -> Iterable[Metric]:
    """Return the number of schedules by state.

    Args:
        states: uid → state of each active schedule; another thread changes it.
    """
    counts = Counter(_label(state) for state in list(states.values()))
    text = "Schedules that this scheduler knows"
    return [gauge("schedules", text, ["state"], {(label,): float(counts[label]) for label in STATES})]


def _label(state: ScheduleState) -> str:
    if state.schedule.suspended:
        return "suspended"
    if state.paused:
        return "paused"
    return "stopped" if state.problem else "active"


def pause_metrics(states: Mapping[str, ScheduleState], reporter: Reporter) -> Iterable[Metric]:
    """Return a series for each schedule that failures in a row have paused.

    Args:
        states: uid → state of each active schedule; another thread changes it.
        reporter: Knows which schedules have their own series. The others share one.
    """
    labels, values = reporter.labels, dict[tuple[str, ...], float]()
    for state in list(states.values()):
        if state.paused and state.paused.failures:
            key = (state.schedule.name if state.schedule.name in labels else OTHER,)
            values[key] = max(values.get(key, 0.0), float(state.paused.failures))
    text = "Runs in a row that failed, because of which the schedule is paused"
    return [gauge("schedule_paused_after_failures", text, ["scheduledtask"], values)]


class FailingSchedules:
    """Reads the number of consecutive failures of each schedule.

    Args:
        states: uid → state of each active schedule; another thread changes it.
        reporter: Knows which schedules have their own series. The others share one series, which shows the highest
            number among them.
        client: The queue Redis, with a short timeout.
    """

    def __init__(self, states: Mapping[str, ScheduleState], reporter: Reporter, client: "redis.Redis") -> None:
        self._states = states
        self._reporter = reporter
        self._client = client

    def read(self) -> Iterable[Metric]:
        """Return the metric family.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hgetall(keys.SCHEDULES_FAILING)
        reply: Any = pipeline.execute(raise_on_error=False)
        failing = cast("dict[bytes, bytes]", readable([keys.SCHEDULES_FAILING], reply, {})[0])
        labels = self._reporter.labels
        values = {(name,): 0.0 for name in labels}
        for uid, count in failing.items():
            state = self._states.get(decode(uid))
            if state is not None:
                key = (state.schedule.name if state.schedule.name in labels else OTHER,)
                values[key] = max(values.get(key, 0.0), read_number(decode(count)) or 0.0)
        text = "Runs in a row that were dead-lettered or lost"
        return [gauge("schedule_consecutive_failures", text, ["scheduledtask"], values)]


class Durations(Protocol):
    """Receives durations in seconds, such as a histogram."""

    def observe(self, amount: float, /) -> None: ...


async def time_event_loop(lag: Durations, clock: Clock) -> None:
    """Measure continuously how late the event loop wakes up.

    Args:
        lag: Receives the delay in seconds.
        clock: The clock.
    """
    while True:
        started = clock.monotonic()
        await clock.sleep(LOOP_SECONDS)
        lag.observe(max(0.0, clock.monotonic() - started - LOOP_SECONDS))
