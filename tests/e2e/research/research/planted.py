"""Bugs that `make soak ARGS=--planted` plants in this tier, to show that it finds them.

The variable RESEARCH_BUGS lists their names, such as `memory,descriptors`. It is empty otherwise.
"""

import os
import socket
import threading
import uuid
import zlib
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

#: Name of a bug → number of runs between two strikes. At 25 runs a second and process, that is some hundred things a
#: minute and 24 MiB of memory, and a tenth of that on a machine that carries only a tenth of the load.
_INTERVALS = {"memory": 1, "descriptors": 10, "connections": 15, "threads": 20, "series": 5, "keys": 2}
_LEAKED_BYTES = 16_384
#: One of so many runs is acknowledged without having run.
_LOST_ONE_IN = 500


class PlantedBugs:
    """The planted bugs of this process.

    Args:
        names: Their names, separated by commas.
        redis: Client of the data Redis.
        registry: The registry of the metrics of this process.
    """

    def __init__(self, names: str, redis: Any, registry: CollectorRegistry) -> None:
        self._names = set(filter(None, names.split(",")))
        self._redis = redis
        self._runs = 0
        self._leaks: list[object] = []
        self._never = threading.Event()
        if "series" in self._names:
            self._gauge = Gauge("research_leak", "A leak of metric series", ["id"], registry=registry)

    def strike(self, run: str) -> bool:
        """Leak what is to be leaked at a run. Return whether the run is to be recorded.

        Args:
            run: Id of the run.
        """
        self._runs += 1
        for name in self._names & _INTERVALS.keys():
            if self._runs % _INTERVALS[name] == 0:
                getattr(self, f"_leak_{name}")()
        return "lost-run" not in self._names or zlib.crc32(run.encode()) % _LOST_ONE_IN != 0

    def _leak_memory(self) -> None:
        self._leaks.append(os.urandom(_LEAKED_BYTES))

    def _leak_descriptors(self) -> None:
        self._leaks.append(os.open(os.devnull, os.O_RDONLY))

    def _leak_connections(self) -> None:
        self._leaks.append(socket.socketpair())

    def _leak_threads(self) -> None:
        threading.Thread(target=self._never.wait, daemon=True).start()

    def _leak_series(self) -> None:
        self._gauge.labels(uuid.uuid4().hex).set(1)

    def _leak_keys(self) -> None:
        self._redis.set(f"research:leak:{uuid.uuid4()}", "x")
