"""The events of a history: one line of text per event, which a process appends to its own file.

    12.041327 worker-1.4711 start delivery=9f3c message=77aa attempt=1

The time is the monotonic clock of the machine, which all processes share and nothing sets. Times, names and values
contain no spaces. A test can therefore write a history by hand.
"""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Events that processes record. The comments name the fields.
CALL_EVENTS = (
    "send",  # delivery, message, task, queue, attempt, parent: an enqueue begins
    "sent",  # delivery: Redis has confirmed it
    "unsent",  # delivery: the enqueue raised an error, so its result is unknown
    "fetched",  # queue, called, ids (comma-separated, may be empty): a fetch, which is also a heartbeat
    "empty",  # queue, called: a fetch has found no message in the queue
    "start",  # delivery, message, attempt: the task begins
    "end",  # delivery, result: ok, error or interrupted
    "skip",  # delivery: the run was refused before its task
    "ack",  # delivery: an acknowledgment begins
    "acked",  # delivery
    "nack",  # delivery: the replacement by a dead letter begins
    "nacked",  # delivery
    "requeue",  # delivery: it was given back
    "released",  # queue: everything that the process holds of a queue was given back
    "dies",  # the process kills itself
    "janitor",  # the process has built its janitor, and lets it run from now on
    "round_begins",  # of the janitor
    "round_ends",  # result: ok or failed
)
#: Events that the controller of the faults records.
FAULT_EVENTS = (
    "died",  # target, since: every process of a node has ended; since is the time of the signal
    "cut",  # target, until, kind: a node was stopped, cut off or slow
    "outage",  # until, kind: Redis refused or did not answer, for any client
    "lossy",  # begin, end, reason: writes that Redis confirmed then may be lost by design
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Args:
        at: Monotonic time of the machine in seconds.
        process: Name of the node and id of the process, such as `worker-1.4711`.
        kind: One of `CALL_EVENTS` or `FAULT_EVENTS`.
        fields: Everything else, as text.
    """

    at: float
    process: str
    kind: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def delivery(self) -> str:
        """Id of the message in Redis, which a retry changes."""
        return self.fields["delivery"]

    def line(self) -> str:
        """Return the event as a line of a file."""
        values = " ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.at:.6f} {self.process} {self.kind} {values}".rstrip()


def parse(line: str) -> Event:
    """Return the event of a line."""
    at, process, kind, *values = line.split(" ")
    return Event(float(at), process, kind, dict(value.split("=", 1) for value in values))


def read_events(files: Iterable[Path]) -> list[Event]:
    """Return the events of all files in the order of their times. A last line that a kill cut off is left out."""
    events = []
    for file in files:
        *lines, _ = file.read_text(encoding="ascii").split("\n")
        events += [parse(line) for line in lines]
    return sorted(events, key=lambda event: event.at)


class Recorder:
    """Appends the events of one process to its file. Each line is one write, so a kill loses at most the last one.

    Args:
        folder: Folder of the history.
        node: Name of the node. The process id follows it, because a node's process is started again.
    """

    def __init__(self, folder: Path, node: str) -> None:
        self.process = f"{node}.{os.getpid()}"
        self._file = os.open(folder / f"{self.process}.events", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def record(self, kind: str, /, at: float | None = None, **fields: Any) -> None:
        """Append an event.

        Args:
            kind: Kind of the event.
            at: Its time, or None for now.
            fields: Its fields.
        """
        values = {name: str(value) for name, value in fields.items()}
        event = Event(time.monotonic() if at is None else at, self.process, kind, values)
        os.write(self._file, event.line().encode("ascii") + b"\n")
