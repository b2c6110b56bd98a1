"""What ScheduledTasks that come, change and go have to do, to be compared with what came of it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from support.operator import Tasks

#: A due time of a schedule: uid, Unix seconds.
Due = tuple[str, int]


@dataclass
class Entry:
    """One schedule.

    Args:
        name: of the resource.
        spec: of the resource.
        period: seconds between its due times, which are its multiples.
        created: Unix seconds; the first one is after this.
        edited: what was due before an operator saw the edit may be left undone.
        deleted: likewise for the deletion.
    """

    name: str
    spec: dict[str, Any]
    period: int
    created: float
    edited: bool = False
    deleted: bool = False

    def dues(self, after: float, until: float) -> Iterable[int]:
        """Its due times in (after, until], Unix seconds."""
        return range((int(after) // self.period + 1) * self.period, int(until) + 1, self.period)


class Ledger:
    """ScheduledTasks of one namespace, each of which must run at every due time, however late.

    Args:
        tasks: the namespace.
        periods: schedule line → seconds between its due times.
    """

    def __init__(self, tasks: Tasks, periods: Mapping[str, int]) -> None:
        self._tasks = tasks
        self._periods = periods
        #: uid → entry.
        self.entries: dict[str, Entry] = {}

    def create(self, name: str, schedule: str, **spec: Any) -> None:
        """A new one; it may have the name of one that is gone."""
        spec |= {"schedule": schedule, "concurrencyPolicy": "Allow", "catchUp": "All"}
        made = self._tasks.apply(name, **spec)["metadata"]
        created = datetime.fromisoformat(made["creationTimestamp"]).timestamp()
        self.entries[made["uid"]] = Entry(name, spec, self._periods[schedule], created)

    def edit(self, name: str, schedule: str) -> None:
        """Change when it runs."""
        entry = self._present(name)
        entry.period, entry.edited = self._periods[schedule], True
        entry.spec["schedule"] = schedule
        self._tasks.apply(name, **entry.spec)

    def delete(self, name: str) -> None:
        """Delete it."""
        self._present(name).deleted = True
        self._tasks.delete(name)

    def suspend(self) -> None:
        """Let all of them rest."""
        for entry in self.present().values():
            self._tasks.apply(entry.name, suspend=True, **entry.spec)

    def present(self) -> dict[str, Entry]:
        """Those that are not deleted, by uid."""
        return {uid: entry for uid, entry in self.entries.items() if not entry.deleted}

    def expected(self, found: Counter[Due], taken_over: Mapping[str, float], until: float) -> set[Due]:
        """Due times that must have come.

        Args:
            found: those that have.
            taken_over: uid → when an operator took over its newest spec, Unix seconds.
            until: Unix seconds.
        """
        must: set[Due] = set()
        for uid, entry in self.entries.items():
            after = taken_over[uid] if entry.edited else entry.created
            # of one that is deleted: without a gap, as far as it came
            last = max((due for each, due in found if each == uid), default=0) if entry.deleted else until
            must |= {(uid, due) for due in entry.dues(after, last)}
        return must

    def uncalled_for(self, found: Counter[Due]) -> set[Due]:
        """Due times that came and are none."""
        return {
            (uid, due)
            for uid, due in found
            if (entry := self.entries[uid]) and not entry.edited and (due <= entry.created or due % entry.period)
        }

    def _present(self, name: str) -> Entry:
        return next(entry for entry in self.present().values() if entry.name == name)
