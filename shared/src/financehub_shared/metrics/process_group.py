"""The standard metrics of Prometheus clients, such as memory and CPU time, of one process or of several together."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

#: Of these, the smallest value is reported, because they cannot be added.
_SMALLEST = frozenset({"process_start_time_seconds", "process_max_fds"})
_CPU = "process_cpu_seconds_total"
#: Index of the first of the two times of ended children in `/proc/<pid>/stat`, after the name of the program.
_CHILDREN_TIMES = 13


class ProcessGroupCollector(Collector):
    """Reports the calling process, and adds what further processes of the same container use.

    The time on processors includes that of the children of a further process that have ended. If the calling process is
    such a child, its successor continues with the sum, and the counter never decreases. Prometheus would read a lower
    value as a restart from 0, and show the whole sum as used at that moment.

    Args:
        others: Ids of the further processes. One that has ended is left out.
    """

    def __init__(self, others: Sequence[int] = ()) -> None:
        unregistered = CollectorRegistry()
        self._own = ProcessCollector(registry=unregistered)
        self._others = {
            pid: ProcessCollector(pid=lambda pid=pid: pid, registry=CollectorRegistry())  # type: ignore[misc]
            for pid in others
        }

    def describe(self) -> Iterable[Metric]:
        """Return nothing, because the names are known only when the values are read."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Return the families, each with one value."""
        families = {family.name: family for family in self._own.collect()}
        for pid, collector in self._others.items():
            for other in collector.collect():
                if family := families.get(other.name):
                    _merge(family, other, _ended_children_seconds(pid))
        return list(families.values())


def _merge(family: Metric, other: Metric, ended_seconds: float) -> None:
    for index, (sample, further) in enumerate(zip(family.samples, other.samples, strict=True)):
        values = (sample.value, further.value, ended_seconds if sample.name == _CPU else 0.0)
        value = min(values[:2]) if sample.name in _SMALLEST else sum(values)
        family.samples[index] = sample._replace(value=value)


def _ended_children_seconds(pid: int) -> float:
    """Return the time on processors of the children of a process that have ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    # The name is in parentheses, and may contain spaces and parentheses.
    times = stat.rpartition(")")[2].split()[_CHILDREN_TIMES : _CHILDREN_TIMES + 2]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
