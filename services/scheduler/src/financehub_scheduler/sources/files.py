"""Reads schedules from a folder of YAML files, and watches the folder.

It polls `stat`, which detects the symlink swaps of mounted ConfigMaps and works on every file system.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid5

import structlog

from financehub_scheduler.api.schedule import Schedule, compile_schedule
from financehub_scheduler.core.changes import Changes
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError
from financehub_shared.spec.documents import DocumentError, parse, split

log = structlog.get_logger(__name__)

#: A new file takes effect within about this time.
POLL_SECONDS = 1.0
#: Maximum size of a file. A ConfigMap has at most 1 MiB, and 30,000 schedules fit into this limit.
_MAX_BYTES = 16_000_000
#: Namespace of the uids. The same namespace and name identify the same schedule in any file and on any machine.
_UID_NAMESPACE = UUID("6a9e7d1c-5f0e-5a58-9c1b-0d3b7c1f2e44")

_Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _File:
    """The content of one file when it was last read."""

    stamp: _Stamp
    #: Document text → its schedule.
    schedules: dict[str, Schedule] = field(default_factory=dict)
    #: `file:line` of a refused document → problem.
    refused: dict[str, str] = field(default_factory=dict)
    #: Name → earlier version of a schedule, which stays in effect because its replacement was refused.
    kept: dict[str, Schedule] = field(default_factory=dict)


def _text(path: Path, size: int) -> str:
    if size > _MAX_BYTES:
        raise DocumentError(1, f"is larger than {_MAX_BYTES} bytes; split it")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(1, f"cannot be read: {error}; fix its permissions or encoding (UTF-8)") from None


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
        self._folder = folder
        self._clock = clock
        self._files: dict[Path, _File] = {}
        self._known: dict[str, Schedule] = {}
        self._absent_once: set[str] = set()
        self._unavailable = False
        #: `file:line` → problem, for every document that is currently refused.
        self.refused: dict[str, str] = {}

    async def changes(self) -> AsyncIterator[Changes]:
        """Yield all schedules in the folder, then every change, forever. Changes to refused documents are included."""
        is_first = True
        while True:
            # In a thread, because reading thousands of schedules takes seconds and due runs must not wait for it.
            refused = self.refused
            found = await asyncio.to_thread(self.scan)
            if is_first or found or self.refused != refused:
                yield replace(found or Changes(), keep_known_state=is_first)
            is_first = False
            await self._clock.sleep(POLL_SECONDS)

    def scan(self) -> Changes | None:
        """Read the folder once. Return None if no schedule has changed."""
        try:
            stamps = self._stamps()
        except OSError as error:
            # An unmounted folder is a fault, not a request to delete every schedule.
            if not self._unavailable:
                # A traceback would not add anything.
                log.error("schedules_folder_unavailable", folder=str(self._folder), error=str(error))  # noqa: TRY400
            self._unavailable = True
            return None
        if self._unavailable:
            log.info("schedules_folder_available_again", folder=str(self._folder))
        self._unavailable = False
        changed = [
            path for path, stamp in stamps.items() if path not in self._files or self._files[path].stamp != stamp
        ]
        gone = self._files.keys() - stamps.keys()
        if not changed and not gone and not self._absent_once:
            return None
        for path in gone:
            del self._files[path]
        for path in changed:
            before = self._files.get(path, _File((0, 0, 0)))
            self._files[path] = self._read(path, stamps[path], before)
        return self._compare()

    def _stamps(self) -> dict[Path, _Stamp]:
        stamps = {}
        for path in sorted(self._folder.iterdir()):
            # Files whose names begin with a dot are editors' temporary files, or the kubelet's `..data`.
            if path.suffix in {".yaml", ".yml"} and not path.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):  # it was deleted after it was listed
                    status = path.stat()
                    stamps[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
        return stamps

    def _read(self, path: Path, stamp: _Stamp, before: _File) -> _File:
        file = _File(stamp)
        earlier = {schedule.name: schedule for schedule in (*before.kept.values(), *before.schedules.values())}
        try:
            text = _text(path, stamp[1])
        except DocumentError as error:
            self._refuse(file, path, error, before)
            file.kept = earlier
            return file
        nameless = False
        refused: set[str] = set()
        for document in split(text):
            try:
                # Unchanged documents are not parsed again, so that an edit to one of thousands takes effect quickly.
                schedule = before.schedules.get(document.text)
                if schedule is None:
                    task = parse(document)
                    if task is None:
                        continue
                    name = f"{task.metadata.namespace}/{task.metadata.name}"
                    try:
                        schedule = compile_schedule(task, str(uuid5(_UID_NAMESPACE, name)))
                    except ValueError as error:
                        raise DocumentError(document.offset + 1, str(error), name) from None
                file.schedules[document.text] = schedule
            except DocumentError as error:
                self._refuse(file, path, error, before)
                refused.add(error.name)
                nameless = nameless or not error.name
        # A refused document does not stop the version that ran before.
        current = {schedule.name for schedule in file.schedules.values()}
        file.kept = {
            name: schedule
            for name, schedule in earlier.items()
            if name not in current and (nameless or name in refused)
        }
        return file

    def _refuse(self, file: _File, path: Path, error: DocumentError, before: _File) -> None:
        place = f"{path.name}:{error.line}"
        file.refused[place] = error.problem
        if before.refused.get(place) != error.problem:
            log.error("schedule_refused", file=str(path), line=error.line, problem=error.problem)

    def _compare(self) -> Changes | None:
        wanted: dict[str, Schedule] = {}
        origin: dict[str, Path] = {}
        refused: dict[str, str] = {}
        for path, file in sorted(self._files.items()):
            refused |= file.refused
            for schedule in (*file.schedules.values(), *file.kept.values()):
                if schedule.uid in wanted:
                    place = f"{path.name}:{schedule.name}"
                    problem = (
                        f"{schedule.name} is also in {origin[schedule.uid].name}, which takes precedence; rename one"
                    )
                    if self.refused.get(place) != problem:
                        log.error("schedule_refused", place=place, problem=problem)
                    refused[place] = problem
                    continue
                wanted[schedule.uid] = schedule
                origin[schedule.uid] = path
        self.refused = refused
        absent = self._known.keys() - wanted.keys()
        # A schedule is removed only when it is absent twice in a row, because a file is briefly absent while it is
        # renamed.
        removed = absent & self._absent_once
        self._absent_once = absent - removed
        upserts = [schedule for uid, schedule in wanted.items() if self._known.get(uid) != schedule]
        for uid in removed:
            del self._known[uid]
        self._known |= {schedule.uid: schedule for schedule in upserts}
        return Changes(upserts, sorted(removed)) if upserts or removed else None
