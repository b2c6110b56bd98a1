"""The states of a run, as its Redis record and every listing name them."""

from enum import StrEnum


class RunState(StrEnum):
    """Where a run (one message, all its tries) stands."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"  # too old when it started, or cancelled
    DEAD_LETTERED = "dead-lettered"
    LOST = "lost"  # its worker died and nobody redelivered it within the record's lifetime


#: States in which the overlap check of a schedule counts a run as not over.
ACTIVE = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.RETRYING})
