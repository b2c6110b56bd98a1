"""Tells whether the release has recovered from a fault: all pods are ready, and all runs that were due have run."""

import time
from collections.abc import Callable, Sequence

from soak.accounts import ScheduleCounts, due_times, run_id
from soak.load import PERIOD_SECONDS, offset_of
from soak.recorder import Recorder
from soak.site import Site

#: Seconds after a fault in which the runs that were due must have run too, so that at least one was due after it.
_AFTERWARDS_SECONDS = 2.0


class Expected:
    """Knows which runs should have been recorded by now.

    Args:
        before: What Redis knows about the schedules. Only due times that are not settled yet are expected, because a
            schedule does not run a due time from before its creation, even if its jitter is not over.
    """

    def __init__(self, before: Sequence[ScheduleCounts]) -> None:
        self._schedules = [(each.uid, each.mark, offset_of(each.uid)) for each in before]
        self._until = 0.0

    def next(self, until: float) -> set[str]:
        """Return the ids of the runs that are to be enqueued after the last call, up to a Unix time in seconds."""
        found = set()
        for uid, mark, offset in self._schedules:
            for due in due_times(max(mark, self._until - offset), until - offset, PERIOD_SECONDS):
                found.add(run_id(uid, due))
        self._until = max(self._until, until)
        return found


class ReleaseRecovery:
    """Tells whether the release has recovered.

    Args:
        site: The release.
        recorder: Knows what has run.
        expected: Knows what should have run.
        clock: Returns the time in Unix seconds.
    """

    def __init__(
        self, site: Site, recorder: Recorder, expected: Expected, clock: Callable[[], float] = time.time
    ) -> None:
        self._site = site
        self._recorder = recorder
        self._expected = expected
        self._clock = clock
        self._waiting: set[str] = set()

    def __call__(self, since: float) -> str:
        """Return what has not recovered since a Unix time in seconds, or an empty string."""
        until = since + _AFTERWARDS_SECONDS
        if self._clock() < until:
            return "no run has been due since"
        self._waiting |= self._expected.next(until)
        self._waiting = self._recorder.missing(self._waiting)
        if self._waiting:
            return f"{len(self._waiting)} runs that were due have not run"
        if not self._site.is_complete():
            return f"pods: {self._site.describe()}"
        return ""
