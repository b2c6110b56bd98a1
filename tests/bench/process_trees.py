"""Measures the memory and CPU time of a process together with its children, which may be one component."""

import re
from collections.abc import Iterator
from pathlib import Path

from bench import arrivals


def peak_mb(pid: int) -> float:
    """Return the sum of the highest memory uses so far of a process and its living children, in MB.

    Pages that they share count for each of them.
    """
    return sum(arrivals.peak_mb(each) for each in tree(pid))


def pss_mb(pid: int) -> float:
    """Return the memory that a process and its living children use now, in MB.

    Pages that they share count once, as in the limit of a container.
    """
    return sum(_pss_kb(each) for each in tree(pid)) / 1024


def _pss_kb(pid: int) -> int:
    match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8"), re.MULTILINE)
    return int(match[1]) if match else 0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its living children have used so far, in seconds."""
    return sum(arrivals.cpu_seconds(each) for each in tree(pid))


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all of its descendants that live."""
    yield pid
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = re.search(r"^PPid:\s+(\d+)$", status.read_text(encoding="utf-8"), re.MULTILINE)
        except OSError:
            continue  # the process has ended
        if parent and int(parent[1]) == pid:
            yield from tree(int(status.parent.name))
