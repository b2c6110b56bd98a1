"""A folder of schedules as the scheduler's source sees it, with a clock that only the test moves."""

from pathlib import Path

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.sources.files import FileSource
from financehub_scheduler.sources.waiting import ABSENCE_SECONDS, QUIET_SECONDS
from financehub_shared.core.clock import ManualClock


class WatchedFolder:
    """A source of schedules.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self.source = FileSource(path, self.clock)

    def changes(self, seconds: float = 0.0) -> tuple[list[Schedule], list[str]]:
        """Return the schedules that are new or changed, and the uids of those removed.

        Args:
            seconds: Time that passes before the folder is looked at. It is looked at again when its files are quiet.
        """
        upserts: list[Schedule] = []
        removed: list[str] = []
        for wait in (seconds, QUIET_SECONDS):
            self.clock.advance(wait)
            found = self.source.scan()
            if found:
                upserts.extend(found.upserts)
                removed.extend(found.removed)
        return upserts, removed

    def upserts(self) -> list[Schedule]:
        """Return the schedules that are new or changed."""
        return self.changes()[0]

    def look(self, seconds: float = 0.0) -> tuple[set[str], int]:
        """Return the names of the schedules that are new or changed, and the number of those removed.

        Args:
            seconds: Time that passes before.
        """
        upserts, removed = self.changes(seconds)
        return {schedule.name for schedule in upserts}, len(removed)

    def look_after_absence(self) -> tuple[set[str], int]:
        """Return the same as `look` after the time for which an absent schedule is waited for."""
        return self.look(ABSENCE_SECONDS)
