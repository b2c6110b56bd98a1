"""Watches a folder of YAML files, whose documents are schedules.

It polls `stat`, which detects the symlink swaps of mounted ConfigMaps and works on every file system.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.sources.folder import Folder
from financehub_scheduler.sources.waiting import ABSENCE_SECONDS, QUIET_SECONDS, Absences
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError
from financehub_shared.spec.entries import explain

log = structlog.get_logger(__name__)

#: A new file takes effect within about this time, and `QUIET_SECONDS` later.
POLL_SECONDS = 1.0


class FileSource:
    """Schedules from the files `*.yaml` and `*.yml` of one folder.

    Args:
        folder: The folder.
        clock: The clock.

    Raises:
        ConfigError: The folder does not exist.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        if not folder.is_dir():
            raise ConfigError(f"--schedules {folder}: is not a folder; create it or name another")
        self._path = folder
        self._clock = clock
        self._folder = Folder(folder, clock)
        self._absences = Absences(clock)
        self._known: dict[str, Schedule] = {}
        self._unavailable = False
        #: `file:line` → problem, for every document that is currently refused.
        self.refused: dict[str, str] = {}

    async def changes(self) -> AsyncIterator[Changes]:
        """Yield all schedules in the folder, then every change, forever. Changes to refused documents are included."""
        is_first = True
        try:
            while True:
                # In a thread, because reading thousands of schedules takes seconds and due runs must not wait for it.
                refused, began = self.refused, self._clock.now()
                found = await asyncio.to_thread(self.scan)
                if is_first or found or self.refused != refused:
                    yield replace(found or Changes(), keep_known_state=is_first, looked_at=began)
                is_first = False
                await self._clock.sleep(QUIET_SECONDS if self._folder.is_changing else POLL_SECONDS)
        finally:
            self._folder.stop()

    def scan(self) -> Changes | None:
        """Look at the folder once. Return None if no schedule has changed."""
        try:
            is_different = self._folder.look()
        except OSError as error:
            # An unmounted folder is a fault, not a request to delete every schedule.
            if not self._unavailable:
                # A traceback would not add anything.
                log.error("schedules_folder_unavailable", folder=str(self._path), error=explain(error))  # noqa: TRY400
            self._unavailable = True
            return None
        if self._unavailable:
            log.info("schedules_folder_available_again", folder=str(self._path))
        self._unavailable = False
        return self._compare() if is_different or self._absences.any else None

    def _compare(self) -> Changes | None:
        wanted: dict[str, Schedule] = {}
        origin: dict[str, str] = {}
        refused: dict[str, str] = {}
        for _, file in sorted(self._folder.contents.items()):
            refused |= file.refused
            for schedule in file.effective:
                if schedule.uid in wanted:
                    place = f"{file.name}:{schedule.name}"
                    problem = f"{schedule.name} is also in {origin[schedule.uid]}, which takes precedence; rename one"
                    if self.refused.get(place) != problem:
                        log.error("schedule_refused", place=place, problem=problem)
                    refused[place] = problem
                    continue
                wanted[schedule.uid] = schedule
                origin[schedule.uid] = file.name
        self.refused = refused
        absent = self._known.keys() - wanted.keys()
        for uid in self._absences.begun(absent):
            name = self._known[uid].name
            log.info(
                "schedule_removal_delayed", schedule=name, seconds=ABSENCE_SECONDS, reason="its file may come back"
            )
        removed = self._absences.ended(absent)
        upserts = [schedule for uid, schedule in wanted.items() if self._known.get(uid) != schedule]
        for uid in removed:
            del self._known[uid]
        self._known |= {schedule.uid: schedule for schedule in upserts}
        return Changes(upserts, sorted(removed)) if upserts or removed else None
