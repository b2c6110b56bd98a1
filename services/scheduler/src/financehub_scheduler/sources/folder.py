"""The contents of the files of one folder, which are read when they change."""

from collections.abc import Mapping
from pathlib import Path

from financehub_scheduler.sources.attempts import Attempts
from financehub_scheduler.sources.file_content import FileContent, read_content, unreadable
from financehub_scheduler.sources.waiting import Quietness
from financehub_shared.core.clock import Clock
from financehub_shared.spec.entries import Stamp, display_name, explain, list_names, read_text, stamp_of

#: Time that a look at one entry of the folder may take. The others wait meanwhile, once.
ENTRY_SECONDS = 5.0


class Folder:
    """The files `*.yaml` and `*.yml` of one folder. An entry that cannot be read never affects the others.

    Args:
        path: The folder.
        clock: The clock.
        entry_seconds: Time that a look at one entry may take.
    """

    def __init__(self, path: Path, clock: Clock, entry_seconds: float = ENTRY_SECONDS) -> None:
        self._path = path
        self._clock = clock
        self._attempts = Attempts(entry_seconds)
        self._quietness = Quietness(clock)
        #: File → what identified its content when it was read, or when that failed.
        self._stamps: dict[Path, Stamp] = {}
        #: Files that are read again although they have not changed.
        self._again: set[Path] = set()
        self._is_first = True
        #: File → its content.
        self.contents: dict[Path, FileContent] = {}
        #: Whether a file has changed that is not read yet, because it may change again.
        self.is_changing = False

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._attempts.stopped

    def stop(self) -> None:
        """End a look that another thread makes, because the process ends."""
        self._attempts.stop()

    def look(self) -> bool:
        """Read all files that have changed, and return whether a content differs.

        Raises:
            OSError: The folder cannot be read.
        """
        stamps: dict[Path, Stamp] = {}
        is_different = False
        present: set[Path] = set()
        for path, stamp in self._attempts.each(self._list(), stamp_of):
            if isinstance(stamp, OSError):
                is_different |= self._refuse(path, stamp)
                self._stamps.pop(path, None)
            elif stamp is not None:
                stamps[path] = stamp
            if stamp is not None:
                present.add(path)
        for path, text in self._attempts.each(self._due(stamps), read_text):
            self._stamps[path] = stamps[path]
            self._again.discard(path)
            if isinstance(text, FileNotFoundError):
                present.discard(path)
            elif isinstance(text, OSError):
                is_different |= self._refuse(path, text)
                self._again.add(path)
            else:
                is_different |= self._update(path, text)
        if self.is_stopped:
            return False
        gone = self.contents.keys() - present
        for path in gone:
            del self.contents[path]
            self._stamps.pop(path, None)
        self._again &= present
        self._is_first = False
        return is_different or bool(gone)

    def _list(self) -> list[Path]:
        for _, found in self._attempts.each([self._path], list_names):
            if isinstance(found, OSError):
                raise found
            return found
        return []

    def _due(self, stamps: Mapping[Path, Stamp]) -> list[Path]:
        """Return the files to read now: those that have changed and are not being written, and those to read again."""
        changed = [path for path, stamp in stamps.items() if self._stamps.get(path) != stamp]
        self._quietness.forget_others(changed)
        quiet = [path for path in changed if self._is_first or self._quietness.is_quiet(path, stamps[path])]
        self.is_changing = len(quiet) < len(changed)
        return quiet + [path for path in stamps if path in self._again and path not in changed]

    def _before(self, path: Path) -> FileContent:
        name = display_name(path)
        return self.contents.get(path) or FileContent(name, str(self._path / name))

    def _update(self, path: Path, text: str) -> bool:
        before = self._before(path)
        content = read_content(text, before, self._clock.monotonic(), lambda: self.is_stopped)
        self.contents[path] = content
        if content.cut_since is not None:
            self._again.add(path)
        return content != before

    def _refuse(self, path: Path, error: OSError) -> bool:
        before = self._before(path)
        self.contents[path] = unreadable(explain(error), before)
        return self.contents[path] != before
