"""A folder of YAML files as the source of schedules: read once, then watched.

Watching is polling of `stat`: it sees the symlink swaps of mounted ConfigMaps and works on every file system.
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
from financehub_scheduler.sources.documents import DocumentError, parse, split
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError

log = structlog.get_logger(__name__)

#: A new file is in force within about this time.
POLL_SECONDS = 1.0
#: A ConfigMap holds at most 1 MiB; 30,000 schedules fit into this.
_MAX_BYTES = 16_000_000
#: Names schedules that come from files: the same namespace and name is the same schedule, in any file, on any machine.
_UIDS = UUID("6a9e7d1c-5f0e-5a58-9c1b-0d3b7c1f2e44")

_Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _File:
    """What one file held at its last reading: document text → schedule, and the names of refused ones."""

    stamp: _Stamp
    schedules: dict[str, Schedule] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    #: Earlier versions that stay in force because what replaced them is refused.
    kept: dict[str, Schedule] = field(default_factory=dict)


def _text(path: Path, size: int) -> str:
    if size > _MAX_BYTES:
        raise DocumentError(1, f"is larger than {_MAX_BYTES} bytes; split it")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(1, f"cannot be read: {error}; mend its permissions or encoding (UTF-8)") from None


class FileSource:
    """Schedules from `*.yaml` and `*.yml` of one folder.

    Args:
        folder: where they are.
        clock: time.

    Raises:
        ConfigError: the folder is not there.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        if not folder.is_dir():
            raise ConfigError(f"--schedules {folder}: is not a folder; create it or name another")
        self._folder = folder
        self._clock = clock
        self._files: dict[Path, _File] = {}
        self._known: dict[str, Schedule] = {}
        self._missing: set[str] = set()
        self._lost = False
        #: `file:line` → what is wrong, of everything that is refused at present.
        self.refused: dict[str, str] = {}

    async def changes(self) -> AsyncIterator[Changes]:
        """The folder's schedules, then every change, of what is refused too, for ever."""
        initial = True
        while True:
            # in a thread: reading thousands of schedules takes seconds, and due runs must not wait for it
            refused = self.refused
            found = await asyncio.to_thread(self.scan)
            if initial or found or self.refused != refused:
                yield replace(found or Changes(), initial=initial)
            initial = False
            await self._clock.sleep(POLL_SECONDS)

    def scan(self) -> Changes | None:
        """Look once; None when nothing has changed."""
        try:
            stamps = self._stamps()
        except OSError as error:
            # an unmounted folder is a fault, not the wish to delete every schedule
            if not self._lost:
                log.error("schedules_folder_lost", folder=str(self._folder), error=str(error))  # noqa: TRY400 — no traceback needed
            self._lost = True
            return None
        self._lost = False
        changed = [
            path for path, stamp in stamps.items() if path not in self._files or self._files[path].stamp != stamp
        ]
        gone = self._files.keys() - stamps.keys()
        if not changed and not gone and not self._missing:
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
            # names that begin with a dot are editors' files, and kubelet's own `..data`
            if path.suffix in {".yaml", ".yml"} and not path.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
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
                # unchanged documents are not parsed again: one edit among thousands is in force at once
                schedule = before.schedules.get(document.text)
                if schedule is None:
                    task = parse(document)
                    if task is None:
                        continue
                    name = f"{task.metadata.namespace}/{task.metadata.name}"
                    try:
                        schedule = compile_schedule(task, str(uuid5(_UIDS, name)))
                    except ValueError as error:
                        raise DocumentError(document.offset + 1, str(error), name) from None
                file.schedules[document.text] = schedule
            except DocumentError as error:
                self._refuse(file, path, error, before)
                refused.add(error.name)
                nameless = nameless or not error.name
        # What is refused does not undo what ran before it.
        current = {schedule.name for schedule in file.schedules.values()}
        file.kept = {n: s for n, s in earlier.items() if n not in current and (nameless or n in refused)}
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
                    problem = f"{schedule.name} is also in {origin[schedule.uid].name}, which is in force; rename one"
                    if self.refused.get(place) != problem:
                        log.error("schedule_refused", place=place, problem=problem)
                    refused[place] = problem
                    continue
                wanted[schedule.uid] = schedule
                origin[schedule.uid] = path
        self.refused = refused
        absent = self._known.keys() - wanted.keys()
        # Gone in two looks, to be sure: between the steps of a rename a file is nowhere for a moment.
        removed = absent & self._missing
        self._missing = absent - removed
        upserts = [schedule for uid, schedule in wanted.items() if self._known.get(uid) != schedule]
        for uid in removed:
            del self._known[uid]
        self._known |= {schedule.uid: schedule for schedule in upserts}
        return Changes(upserts, sorted(removed)) if upserts or removed else None
