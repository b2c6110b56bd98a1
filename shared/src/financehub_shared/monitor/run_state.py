"""The states of a run, as run records and listings name them."""

from enum import StrEnum


class RunState(StrEnum):
    """A run's state. A run is one message with all of its attempts."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"  # too old when it started, replaced in the queue, or a trigger that was left out
    DEAD_LETTERED = "dead-lettered"
    LOST = "lost"  # its worker died and its message is in no queue, so no worker can receive it again


#: States in which a schedule's overlap check counts a run as active.
ACTIVE = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.RETRYING})
#: Records and metrics count all tasks without an actor under this name, because other clients may send any number of
#: names.
UNKNOWN_TASK = "(unknown)"
