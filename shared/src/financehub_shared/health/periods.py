"""How old data may be: from the schedules that are registered, else from the catalogue's defaults."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from financehub_shared.core.catalog import CATALOG, TaskSpec

_NAMED = {"@hourly": 3_600, "@daily": 86_400, "@weekly": 604_800}
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

#: A scheduler publishes next times every 2 s, so the one that it has published may just have passed.
PUBLISHED_SECONDS = 10.0

#: Dataset, as `Store.mark_success` names it → the task that refreshes it.
DATASETS: Mapping[str, str] = {
    "quotes:crypto": "fetch_crypto_prices_task",
    "quotes:stock": "fetch_stock_prices_task",
    "news": "fetch_news_task",
    "bars": "calculate_indicators_task",
    "indicators": "calculate_indicators_task",
}


class ScheduleFacts(Protocol):
    """What is asked of one registered schedule."""

    @property
    def task(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def suspended(self) -> bool: ...
    @property
    def next_times(self) -> Sequence[float]: ...
    @property
    def last_due_at(self) -> float | None: ...
    @property
    def runs(self) -> int: ...


def period_seconds(schedule: str) -> int:
    """Seconds between two runs of a catalogue schedule (`@every 2m`, `@hourly`, …).

    Raises:
        ValueError: a schedule of another form; the catalogue uses none.
    """
    if schedule in _NAMED:
        return _NAMED[schedule]
    word, _, amount = schedule.partition(" ")
    if word == "@every" and amount[:-1].isdigit() and amount[-1] in _UNITS:
        return int(amount[:-1]) * _UNITS[amount[-1]]
    raise ValueError(f"{schedule!r}: a catalogue schedule is @hourly, @daily, @weekly or @every <n><s|m|h|d>")


def stale_after(task: TaskSpec, schedules: Iterable[ScheduleFacts] = (), now: float = 0.0) -> float:
    """Age in seconds at which what a task fetches is stale: two runs were due and had their time, and none delivered.

    Nothing is stale that is newer than the last due time, however long ago that was (a closed market, a weekend). A
    schedule says so only while a scheduler keeps it: then its next time lies ahead, or has passed a moment ago.

    Args:
        task: of the catalogue.
        schedules: that are registered; those of other tasks are left out.
        now: Unix seconds.
    """
    limits = []
    for one in schedules:
        upcoming = one.next_times
        if one.task == task.name and not one.suspended and len(upcoming) > 1 and upcoming[0] > now - PUBLISHED_SECONDS:
            since_due = now - one.last_due_at if one.last_due_at else 0.0
            limits.append(max(2 * (upcoming[1] - upcoming[0]) + task.time_limit_seconds, since_due))
    return max(limits, default=2.0 * period_seconds(task.schedule) + task.time_limit_seconds)


def dataset_limits(schedules: Sequence[ScheduleFacts] = (), now: float = 0.0) -> dict[str, float]:
    """Dataset → age in seconds at which it is stale; arguments as of `stale_after`."""
    return {dataset: stale_after(CATALOG[task], schedules, now) for dataset, task in DATASETS.items()}


def overdue_if_absent(schedules: Sequence[ScheduleFacts], now: float) -> frozenset[str]:
    """Datasets that should be there by now: a run was due and had its time, or a second one was due.

    Before that nobody can miss them: in a new release, with a daily schedule, or with a first stock that is added while
    the exchange is closed.

    Args:
        schedules: that are registered; without any of a task nobody knows when its dataset is due, so it is overdue.
        now: Unix seconds.
    """
    return frozenset(dataset for dataset, task in DATASETS.items() if _was_due(CATALOG[task], schedules, now))


def _was_due(task: TaskSpec, schedules: Sequence[ScheduleFacts], now: float) -> bool:
    own = [one for one in schedules if one.task == task.name and not one.suspended]
    return not own or any(
        one.runs > 1 or (one.runs > 0 and now - (one.last_due_at or now) > task.time_limit_seconds) for one in own
    )
