"""Keeps the schedule changes that Redis has not confirmed yet."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.registry import Registration, RegistrationResult, Registry, Removal

#: Maximum number of schedules that are registered, removed or deactivated per step, small enough that thousands of
#: changes do not delay due runs.
_BATCH = 250
#: The views that two schedulers have of a folder differ by less than this, the difference of their clocks included.
#: The kubelets of two nodes update a mounted ConfigMap up to a minute or more apart.
_VIEWS_DIFFER_SECONDS = 120.0


class PendingRegistrations:
    """Keeps the newest change of each schedule until the registry has confirmed it.

    Args:
        registry: The registry of schedules in Redis.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._upserts: dict[str, Registration] = {}
        self._removed: dict[str, Removal] = {}
        self._deactivated: dict[str, str] = {}
        #: uid → time of the creation that the newest registration may have caused, Unix seconds, until its reply comes.
        self._requested: dict[str, float] = {}
        self._source_complete = False

    def add(self, changes: Changes, now: float, states: Mapping[str, ScheduleState]) -> None:
        """Add the changes that a source reported.

        Args:
            changes: The changes.
            now: Unix seconds.
            states: uid → state of each active schedule. It says which schedule was deleted, because another scheduler
                may meanwhile have created one with the same uid.
        """
        self._source_complete = self._source_complete or changes.complete
        for uid in (*changes.removed, *changes.deactivated):
            self._upserts.pop(uid, None)
        # Kubernetes never uses a uid again. In a folder, another scheduler may have created the schedule again before
        # this one notices the deletion, so only what this scheduler knows is deleted, and what is surely older.
        until = now if changes.keep_known_state else min(now, changes.looked_at) - _VIEWS_DIFFER_SECONDS
        for uid in changes.removed:
            self._deactivated.pop(uid, None)
            before = self._removed.get(uid)
            requested_at = self._requested.pop(uid, before.requested_at if before else 0.0)
            self._removed[uid] = Removal(until, states[uid].created_at if uid in states else 0.0, requested_at)
        self._deactivated |= changes.deactivated
        for schedule in changes.upserts:
            self._deactivated.pop(schedule.uid, None)
            since = changes.since.get(schedule.uid, now)
            self._upserts[schedule.uid] = Registration(schedule, since, changes.keep_known_state)

    def repeat(self, schedules: Iterable[tuple[Schedule, float]], *, confirmed: bool = False) -> None:
        """Register schedules again, unless a newer change of them is pending.

        Args:
            schedules: Each schedule with the time at which this scheduler received it or of its last change, Unix
                seconds.
            confirmed: See `Registration`.
        """
        for schedule, since in schedules:
            if not any(schedule.uid in pending for pending in (self._upserts, self._removed, self._deactivated)):
                self._upserts[schedule.uid] = Registration(schedule, since, keep_known_state=True, confirmed=confirmed)

    @property
    def pending(self) -> bool:
        """Whether there are changes that Redis has not confirmed."""
        return bool(self._upserts or self._removed or self._deactivated)

    @property
    def ends_pending(self) -> bool:
        """Whether schedules are still to be removed or deactivated."""
        return bool(self._removed or self._deactivated)

    @property
    def next_uids(self) -> frozenset[str]:
        """The uids of the schedules that `register` sends next."""
        return frozenset(islice(self._upserts, _BATCH))

    @property
    def all_registered(self) -> bool:
        """Whether the source has reported everything and Redis has confirmed it."""
        return self._source_complete and not self.pending

    async def unregister(self) -> list[str]:
        """Remove one batch of the deleted schedules from Redis, and return their uids.

        Raises:
            redis.RedisError: Redis did not reply or returned an error.
        """
        removed = dict(islice(self._removed.items(), _BATCH))
        await self._registry.unregister(removed)
        for uid, removal in removed.items():
            # A newer deletion that arrived in the meantime stays pending.
            if self._removed.get(uid) == removal:
                del self._removed[uid]
        return list(removed)

    async def deactivate(self) -> list[str]:
        """Deactivate in Redis one batch of the schedules that currently do not run, and return their uids.

        Raises:
            redis.RedisError: Redis did not reply or returned an error.
        """
        deactivated = dict(islice(self._deactivated.items(), _BATCH))
        await self._registry.deactivate(deactivated)
        for uid, problem in deactivated.items():
            # A newer state that arrived in the meantime stays pending.
            if self._deactivated.get(uid) == problem:
                del self._deactivated[uid]
        return list(deactivated)

    async def register(
        self, now: float, states: Mapping[str, ScheduleState]
    ) -> list[tuple[Registration, RegistrationResult]]:
        """Register one batch of new or changed schedules, and return the results. One without a result stays pending.

        Args:
            now: Unix seconds.
            states: uid → state of each active schedule. Its mark, pause and pending due times are remembered, and its
                record is kept even if Redis was unavailable for so long that nobody could renew the claim.

        Raises:
            redis.RedisError: Redis did not reply or returned an error.
        """
        registrations = list(islice(self._upserts.values(), _BATCH))
        complete = [_with_memory(each, states) for each in registrations]
        self._requested |= {each.schedule.uid: min(each.since, now) for each in complete}
        results = await self._registry.register(complete, now)
        settled = [(each, result) for each, result in zip(registrations, results, strict=True) if result]
        for registration, _ in settled:
            self._requested.pop(registration.schedule.uid, None)
            # A newer state that arrived in the meantime stays pending.
            if self._upserts.get(registration.schedule.uid) is registration:
                del self._upserts[registration.schedule.uid]
        return settled


def _with_memory(registration: Registration, states: Mapping[str, ScheduleState]) -> Registration:
    """Add to a registration what this scheduler remembers of the schedule."""
    state = states.get(registration.schedule.uid)
    if state is None:
        return registration
    # The mark may have moved since the registration was requested, and an edit may find that Redis has lost its data.
    since = max(registration.since, state.high_water_mark, state.since)
    return replace(registration, since=since, keep_known_state=True, paused=state.paused, pending=state.kept_due_times)
