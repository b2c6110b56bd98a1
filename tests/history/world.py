"""What the faults of a history act on."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from history.events import Recorder
from history.failovers import failovers
from history.fleet import Fleet
from history.lab import Lab
from history.servers import Storage

#: A fault is a generator: it begins the fault, yields the seconds for which it lasts, and ends it. Several can be
#: active at once, on different nodes. Each records what the checker must know about it.
Fault = Iterator[float]


@dataclass
class World:
    """What faults act on.

    Args:
        lab, storage, fleet: The parts of the history.
        recorder: Records the faults.
        random: Decides everything that is drawn.
        workers, producers, schedulers: Names of the nodes.
        always: Whether `appendfsync` is `always`.
        busy: Nodes that a fault uses.
        losses: Times in which writes may be lost by design.
    """

    lab: Lab
    storage: Storage
    fleet: Fleet
    recorder: Recorder
    random: random.Random
    workers: list[str]
    producers: list[str]
    schedulers: list[str]
    always: bool
    busy: set[str] = field(default_factory=set)
    losses: list[tuple[float, float]] = field(default_factory=list)

    def free(self, nodes: list[str]) -> str | None:
        """Return a node that no fault uses, or None."""
        free = [node for node in nodes if node not in self.busy]
        return self.random.choice(free) if free else None

    def between(self, low: float, high: float) -> float:
        """Return a number that is drawn evenly."""
        return self.random.uniform(low, high)

    def cut(self, begin: float, node: str, kind: str) -> None:
        """Record that a node was stopped, cut off or slow until now."""
        self.recorder.record("cut", at=begin, target=node, until=f"{time.monotonic():.6f}", kind=kind)

    def lossy(self, begin: float, end: float, reason: str) -> None:
        """Record that writes may be lost by design that Redis confirmed in a time."""
        self.losses.append((begin, end))
        self.recorder.record("lossy", begin=f"{begin:.6f}", end=f"{end:.6f}", reason=reason)

    def record_failovers(self) -> None:
        """Record the failovers that no fault has caused."""
        offset = time.monotonic() - time.time()
        for begin_unix, end_unix in failovers(sentinel.log() for sentinel in self.storage.sentinels):
            begin, end = begin_unix + offset, end_unix + offset
            if not any(earlier <= end and begin <= later for earlier, later in self.losses):
                self.recorder.record("outage", at=begin, until=f"{end:.6f}", kind="unplanned")
                self.lossy(begin, end, "unplanned-failover")
