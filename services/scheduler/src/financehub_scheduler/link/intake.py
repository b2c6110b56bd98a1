"""Turns in the engine process what companions report into the changes that the engine applies.

A companion may end at any time, and the next one lists all resources again. The engine keeps running what it has, and
learns only the differences, among them the deletions in between.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.link.wire import Reported, Version, Watching, version_of


class Intake:
    """Receives the messages `Reported` and `Watching`, and remembers what the engine was told, across companions."""

    def __init__(self) -> None:
        #: uid → version of its schedule, or the reason why it is deactivated.
        self._told: dict[str, Version | str] = {}
        #: Uids that the current companion has reported before its first complete report.
        self._seen: set[str] = set()
        self._is_complete = False
        #: Monotonic time before which every change of the schedules that the engine has was told, in seconds.
        self.observed_at = -math.inf
        #: `namespace/name` → problem of every resource that is refused. It stays until the next complete report.
        self.refused: Mapping[str, str] = {}
        self._newest_refused: dict[str, str] = {}

    def begin(self) -> None:
        """Prepare for a new companion, which does not know what its predecessor has reported."""
        self._seen, self._is_complete = set(), False
        self._newest_refused, self.observed_at = {}, -math.inf

    def watching(self, message: Watching) -> Changes | None:
        """Adopt the progress of the watch, and return the deletions that it implies, if there are any."""
        # The companion does not know what its predecessor has reported, such as the schedules of a namespace that it
        # has not listed yet.
        is_confirmed = self._is_complete or self._told.keys() <= self._seen
        self.observed_at = message.observed_at if is_confirmed else -math.inf
        if not message.absent or self._is_complete or not self._told:
            return None
        # The definition was deleted while there was no companion, and all resources with it.
        gone = list(self._told)
        self._told.clear()
        self.refused = {}
        return Changes(removed=gone, keep_known_state=True, complete=False)

    def reported(self, message: Reported) -> Changes:
        """Return the changes that the engine does not know yet."""
        changes = message.changes
        if message.refused or message.not_refused:
            # A new object, because the publisher compares it with the one that it has.
            self._newest_refused = {**self._newest_refused, **message.refused}
            for name in message.not_refused:
                self._newest_refused.pop(name, None)
        upserts = [item for item in changes.upserts if self._told.get(item.uid) != version_of(item)]
        deactivated = {uid: problem for uid, problem in changes.deactivated.items() if self._told.get(uid) != problem}
        removed = [uid for uid in changes.removed if self._told.pop(uid, None) is not None]
        self._told.update({item.uid: version_of(item) for item in upserts})
        self._told.update(deactivated)
        if not self._is_complete:
            self._seen.difference_update(changes.removed)
            self._seen.update(item.uid for item in changes.upserts)
            self._seen.update(changes.deactivated)
            if changes.complete:
                removed += self._complete()
        if self._is_complete:
            self.refused = self._newest_refused
        since = {item.uid: changes.since[item.uid] for item in upserts if item.uid in changes.since}
        return replace(changes, upserts=upserts, removed=removed, deactivated=deactivated, since=since)

    def _complete(self) -> list[str]:
        """Return what was told earlier and is not in the first complete report, because it was deleted meanwhile."""
        gone = [uid for uid in self._told if uid not in self._seen]
        for uid in gone:
            del self._told[uid]
        self._is_complete, self._seen = True, set()
        return gone
