"""The due times that must run while ScheduledTasks are created, edited and deleted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from support.operator import Tasks

#: A due time of a schedule: uid, Unix seconds.
DueTime = tuple[str, int]


@dataclass
class Entry:
    """One schedule.

    Args:
        name: Name of the resource.
        spec: Spec of the resource.
        period: Seconds between its due times, which are multiples of it.
        created: Creation time in Unix seconds. The first due time is later.
        edited: Whether it was edited. Runs for due times before a scheduler registered the edit may be missing.
        deleted: Whether it was deleted. Runs for due times before a scheduler noticed the deletion may be missing.
    """

    name: str
    spec: dict[str, Any]
    period: int
    created: float
    edited: bool = False
    deleted: bool = False

    def due_times(self, after: float, until: float) -> Iterable[int]:
        """Return the entry's due times in (after, until], in Unix seconds."""
        return range((int(after) // self.period + 1) * self.period, int(until) + 1, self.period)


class ExpectedRuns:
    """Creates, edits and deletes ScheduledTasks in one namespace, and tracks which due times each of them must run.

    Args:
        tasks: The ScheduledTasks of the namespace.
        periods: `spec.schedule` → seconds between two due times.
    """

    def __init__(self, tasks: Tasks, periods: Mapping[str, int]) -> None:
        self._tasks = tasks
        self._periods = periods
        #: uid → entry.
        self.entries: dict[str, Entry] = {}

    def create(self, name: str, schedule: str, **spec: Any) -> None:
        """Create a resource. Its name may be that of a deleted one."""
        spec |= {"schedule": schedule, "concurrencyPolicy": "Allow", "catchUp": "All"}
        metadata = self._tasks.apply(name, **spec)["metadata"]
        created = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
        self.entries[metadata["uid"]] = Entry(name, spec, self._periods[schedule], created)

    def edit(self, name: str, schedule: str) -> None:
        """Change the recurrence of a resource."""
        entry = self._present(name)
        entry.period, entry.edited = self._periods[schedule], True
        entry.spec["schedule"] = schedule
        self._tasks.apply(name, **entry.spec)

    def delete(self, name: str) -> None:
        """Delete a resource."""
        self._present(name).deleted = True
        self._tasks.delete(name)

    def suspend(self) -> None:
        """Suspend all resources."""
        for entry in self.present().values():
            self._tasks.apply(entry.name, suspend=True, **entry.spec)

    def present(self) -> dict[str, Entry]:
        """Return the entries that are not deleted, by uid."""
        return {uid: entry for uid, entry in self.entries.items() if not entry.deleted}

    def expected(self, found: Counter[DueTime], registered_at: Mapping[str, float], until: float) -> set[DueTime]:
        """Return the due times that must have run.

        Args:
            found: The due times that have run.
            registered_at: uid → Unix time at which a scheduler registered the newest spec.
            until: End of the range in Unix seconds.
        """
        expected: set[DueTime] = set()
        for uid, entry in self.entries.items():
            after = registered_at[uid] if entry.edited else entry.created
            # A deleted schedule must have run without a gap up to its last run.
            last = max((due for each, due in found if each == uid), default=0) if entry.deleted else until
            expected |= {(uid, due) for due in entry.due_times(after, last)}
        return expected

    def unexpected(self, found: Counter[DueTime]) -> set[DueTime]:
        """Return the due times that have run although they are not due times of their schedule."""
        return {
            (uid, due)
            for uid, due in found
            if (entry := self.entries[uid]) and not entry.edited and (due <= entry.created or due % entry.period)
        }

    def _present(self, name: str) -> Entry:
        return next(entry for entry in self.present().values() if entry.name == name)
