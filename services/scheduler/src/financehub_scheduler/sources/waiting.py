"""Decides how long a change of the folder is waited for, because a file may be seen while it is being written."""

from collections.abc import Hashable, Iterable

from financehub_shared.core.clock import Clock

#: A changed file is read when it has not changed again for this time, so that a copy in progress is not read.
QUIET_SECONDS = 0.25
#: A file that changes all the time is read after this time.
_LONGEST_WAIT_SECONDS = 5.0
#: A schedule is removed when its document has been absent for this time. Editors, `git checkout` and copies over a
#: network leave a file absent, empty or incomplete for moments up to a few seconds.
ABSENCE_SECONDS = 10.0


class Quietness:
    """Says which changed files are still being written.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: File → its newest stamp, and the times when that and the first change were seen.
        self._changing: dict[Hashable, tuple[Hashable, float, float]] = {}

    def is_quiet(self, file: Hashable, stamp: Hashable) -> bool:
        """Return whether a changed file can be read. It is asked again until it is.

        Args:
            file: The file.
            stamp: What changes with the content of the file.
        """
        now = self._clock.monotonic()
        newest, since, first = self._changing.get(file, (stamp, now, now))
        since = since if newest == stamp else now
        if now - since >= QUIET_SECONDS or now - first >= _LONGEST_WAIT_SECONDS:
            self._changing.pop(file, None)
            return True
        self._changing[file] = (stamp, since, first)
        return False

    def forget_others(self, files: Iterable[Hashable]) -> None:
        """Forget all files but these, because they are gone or have not changed."""
        self._changing = {file: self._changing[file] for file in files if file in self._changing}


class Absences:
    """Says which absent things have been absent for long enough.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def begun(self, absent: Iterable[str]) -> set[str]:
        """Return those that are absent for the first time since they were present."""
        return set(absent) - self._since.keys()

    def ended(self, absent: Iterable[str]) -> set[str]:
        """Return those that have been absent for `ABSENCE_SECONDS`, and forget them and all that are present again.

        Args:
            absent: All that are absent now.
        """
        now = self._clock.monotonic()
        since = {name: self._since.get(name, now) for name in absent}
        over = {name for name, begin in since.items() if now - begin >= ABSENCE_SECONDS}
        self._since = {name: begin for name, begin in since.items() if name not in over}
        return over

    @property
    def any(self) -> bool:
        """Whether something is absent whose time is not over."""
        return bool(self._since)
