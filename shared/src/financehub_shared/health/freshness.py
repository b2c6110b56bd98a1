"""Computes each dataset's freshness limit from the registered schedules or from the catalog's defaults."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from financehub_shared.core.catalog import CATALOG, TaskSpec
from financehub_shared.core.kinds import AssetType

#: A scheduler publishes next runs every 2 s, so the first published time may have just passed.
PUBLISHED_SECONDS = 10.0

#: Dataset (as in `Store.mark_success`) → the task that refreshes it.
DATASETS: Mapping[str, str] = {dataset: task.name for task in CATALOG.values() for dataset in task.datasets}


class ScheduleFacts(Protocol):
    """The properties of a registered schedule that health depends on.

    A schedule whose times are not known counts only when deciding which tiers need a worker. `after` is the name of the
    predecessor of a follower, as `namespace/name`, and otherwise empty.
    """

    @property
    def name(self) -> str: ...
    @property
    def after(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def suspended(self) -> bool: ...
    @property
    def is_paused(self) -> bool: ...
    @property
    def times_known(self) -> bool: ...
    @property
    def next_times(self) -> Sequence[float]: ...
    @property
    def last_due_at(self) -> float | None: ...
    @property
    def runs(self) -> int: ...


def _refreshes(schedule: ScheduleFacts, leader: ScheduleFacts) -> bool:
    """Whether a schedule determines when its task's data is refreshed.

    Args:
        schedule: The schedule.
        leader: The schedule that sets its pace. See `_leaders`.
    """
    return all(each.times_known and not each.suspended and not each.is_paused for each in (schedule, leader))


def _leaders(schedules: Iterable[ScheduleFacts]) -> list[tuple[ScheduleFacts, ScheduleFacts]]:
    """Return each schedule with the one that sets its pace.

    A schedule with a recurrence sets its own pace. The first suspended or paused predecessor of a follower, or the
    first one with a recurrence, sets that of the follower. If there is none, the follower has no next times, as a
    schedule that is stopped.
    """
    known = list(schedules)
    by_name = {each.name: each for each in known if each.times_known} if any(each.after for each in known) else {}
    pairs = []
    for schedule in known:
        leader, passed = schedule, {schedule.name}
        while leader.after and not leader.suspended and not leader.is_paused:
            predecessor = by_name.get(leader.after)
            if predecessor is None or predecessor.name in passed:
                break
            passed.add(predecessor.name)
            leader = predecessor
        pairs.append((schedule, leader))
    return pairs


def stale_after(task: TaskSpec, schedules: Iterable[ScheduleFacts] = (), now: float = 0.0) -> float:
    """Return the age in seconds beyond which a task's data is stale.

    At that age, two runs were due and had time to finish, but neither delivered. Data that is newer than the last due
    time is never stale, however long ago that was (a closed market or a weekend). A schedule counts only while a
    scheduler runs it: its next time is in the future or has just passed. A follower has the pace of its predecessor.

    Args:
        task: A task of the catalog.
        schedules: The registered schedules. Those of other tasks are ignored.
        now: The current time in Unix seconds.
    """
    limits = []
    for schedule, leader in _leaders(schedules):
        times = leader.next_times
        is_live = len(times) > 1 and times[0] > now - PUBLISHED_SECONDS
        if schedule.task == task.name and _refreshes(schedule, leader) and is_live:
            since_due = now - schedule.last_due_at if schedule.last_due_at else 0.0
            limits.append(max(2 * (times[1] - times[0]) + task.time_limit_seconds, since_due))
    return max(limits, default=2.0 * task.period_seconds + task.time_limit_seconds)


def dataset_limits(schedules: Sequence[ScheduleFacts] = (), now: float = 0.0) -> dict[str, float]:
    """Return dataset → age in seconds beyond which it is stale. See `stale_after` for the arguments."""
    return {dataset: stale_after(CATALOG[task], schedules, now) for dataset, task in DATASETS.items()}


def expected_datasets(types: Collection[AssetType], schedules: Sequence[ScheduleFacts] = ()) -> list[str]:
    """Return the datasets that should exist, because their task has active assets and a schedule to run it.

    Args:
        types: The types of the active assets. Without any active asset, no dataset is expected.
        schedules: The registered schedules. Suspended and paused ones do not count, nor do their followers. Without any
            schedules, every task counts as scheduled, because there may be too many schedules to read.
    """
    scheduled = {schedule.task for schedule, leader in _leaders(schedules) if _refreshes(schedule, leader)}
    return [
        dataset
        for dataset, task in DATASETS.items()
        if types and CATALOG[task].asset_type in {None, *types} and (not schedules or task in scheduled)
    ]


def overdue_if_absent(schedules: Sequence[ScheduleFacts], now: float) -> frozenset[str]:
    """Return the datasets that should exist by now.

    A dataset should exist once a run was due and had time to finish, or once a second run was due. Until then its
    absence is normal: in a new release, with a daily schedule, or for a first stock that is added while the exchange is
    closed.

    Args:
        schedules: The registered schedules. The dataset of a task without a schedule counts as overdue, because its due
            time is unknown.
        now: The current time in Unix seconds.
    """
    return frozenset(dataset for dataset, task in DATASETS.items() if _was_due(CATALOG[task], schedules, now))


def _was_due(task: TaskSpec, schedules: Sequence[ScheduleFacts], now: float) -> bool:
    of_task = [
        schedule
        for schedule, leader in _leaders(schedules)
        if schedule.task == task.name and _refreshes(schedule, leader)
    ]
    return not of_task or any(
        schedule.runs > 1 or (schedule.runs > 0 and now - (schedule.last_due_at or now) > task.time_limit_seconds)
        for schedule in of_task
    )
