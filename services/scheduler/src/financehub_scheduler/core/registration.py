"""Schedules on their way to the registry: what a source has shown and what Redis has lost, until Redis has taken it."""

from collections.abc import Iterable
from itertools import islice

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.state import Changes
from financehub_scheduler.redis.registry import Entry, Registry, Standing

#: Schedules taken in at once, so that a thousand edits delay no due run.
_REGISTER = 250


class Intake:
    """Holds changes, newest only, and hands them to the registry; what Redis does not take stays.

    Args:
        registry: schedules in Redis.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._upserts: dict[str, Entry] = {}
        self._removed: dict[str, None] = {}
        self._withdrawn: dict[str, str] = {}
        self._looked = False

    def apply(self, changes: Changes, now: float) -> None:
        """Take over what a source found at `now`, Unix seconds."""
        self._looked = self._looked or changes.complete
        for uid in (*changes.removed, *changes.withdrawn):
            self._upserts.pop(uid, None)
        for uid in changes.removed:
            self._withdrawn.pop(uid, None)
            self._removed[uid] = None
        self._withdrawn |= changes.withdrawn
        for schedule in changes.upserts:
            self._withdrawn.pop(schedule.uid, None)
            since = changes.since.get(schedule.uid, now)
            self._upserts[schedule.uid] = Entry(schedule, since, added=not changes.initial)

    def again(self, entries: Iterable[tuple[Schedule, float]]) -> None:
        """Register schedules again, each ours since a time (Unix seconds), unless the source has shown newer states."""
        for schedule, since in entries:
            if not any(schedule.uid in waiting for waiting in (self._upserts, self._removed, self._withdrawn)):
                self._upserts[schedule.uid] = Entry(schedule, since, added=False)

    @property
    def pending(self) -> bool:
        """Whether something waits for Redis."""
        return bool(self._upserts or self._removed or self._withdrawn)

    @property
    def settled(self) -> bool:
        """Whether the source has been looked at, and nothing waits."""
        return self._looked and not self.pending

    async def unregister(self) -> list[str]:
        """Tell Redis what was removed; returns those uids.

        Raises:
            redis.RedisError: Redis did not answer or refused.
        """
        removed = list(self._removed)
        await self._registry.unregister(removed)
        for uid in removed:
            del self._removed[uid]
        return removed

    async def withdraw(self) -> list[str]:
        """Tell Redis what does not run at present; returns those uids.

        Raises:
            redis.RedisError: Redis did not answer or refused.
        """
        withdrawn = dict(self._withdrawn)
        await self._registry.withdraw(withdrawn)
        for uid, problem in withdrawn.items():
            # a newer state, come meanwhile, still waits
            if self._withdrawn.get(uid) == problem:
                del self._withdrawn[uid]
        return list(withdrawn)

    async def register(self, now: float) -> list[tuple[Entry, Standing]]:
        """Tell Redis of some schedules that are new or differ; returns what it says of them.

        Raises:
            redis.RedisError: Redis did not answer or refused.
        """
        entries = list(islice(self._upserts.values(), _REGISTER))
        standings = await self._registry.register(entries, now)
        for entry in entries:
            # a newer one, come meanwhile, still waits
            if self._upserts.get(entry.schedule.uid) is entry:
                del self._upserts[entry.schedule.uid]
        return list(zip(entries, standings, strict=True))
