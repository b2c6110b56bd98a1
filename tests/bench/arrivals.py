"""Measures how late runs arrive in their queue, and how much memory and CPU time the sending process uses."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from financehub_shared.recurrence.recurrence import jitter_offset

#: Timeout of a burst in seconds, which is also the result if a burst takes longer.
BURST_TIMEOUT = 30.0


def burst_lateness(client: Any, queue: str, due: float, count: int, share: float = 0.99) -> float:
    """Return the seconds from a due time until a share of the messages is in the queue.

    Args:
        client: Redis client.
        queue: Name of the list.
        due: Due time in Unix seconds.
        count: Number of expected messages.
        share: The share (default: the p99).
    """
    time.sleep(max(0.0, due - time.time() - 0.1))
    while client.llen(queue) < count * share:
        if time.time() > due + BURST_TIMEOUT:
            return BURST_TIMEOUT
        time.sleep(0.002)
    return time.time() - due


def lateness(client: Any, queue: str, begin: float, end: float, jitter: int = 0) -> list[float]:
    """Return the lateness in seconds, ascending, of the runs that are due between two times, and remove all runs.

    The arguments are those of `due_and_late`.
    """
    return sorted(late for _, late in due_and_late(client, queue, begin, end, jitter))


def due_and_late(client: Any, queue: str, begin: float, end: float, jitter: int = 0) -> list[tuple[float, float]]:
    """Return the time at which each run was due, and its lateness, both in seconds, and remove all runs.

    Args:
        client: Redis client.
        queue: Name of the list.
        begin: Start of the range in Unix seconds. Runs that should have arrived earlier are not measured: a scheduler
            that has just started catches up on them.
        end: End of the range in Unix seconds. Runs that arrive later are not measured.
        jitter: `jitterSeconds` of the schedules. The jitter offset of each schedule does not count as lateness.
    """
    found = []
    for arrived_at, messages in tuple(_arrivals(client, queue, end)):
        for message in messages:
            options = json.loads(message)["options"]
            expected_at = options["due_at"] / 1000 + jitter_offset(options["schedule_uid"], jitter)
            if expected_at >= begin:
                found.append((expected_at, arrived_at - expected_at))
    return found


def _arrivals(client: Any, queue: str, end: float) -> Iterator[tuple[float, list[bytes]]]:
    """Yield the messages that arrive, with their time of arrival, and remove them."""
    while time.time() < end:
        if ids := client.lpop(queue, 10_000):
            arrived_at = time.time()
            messages = client.hmget(f"{queue}.msgs", ids)
            # The janitor would return a message without an entry in the queue, and it would arrive a second time.
            client.hdel(f"{queue}.msgs", *ids)
            yield arrived_at, messages
        time.sleep(0.001)


def quantile(ascending: list[float], percent: int) -> float:
    """Return the value that the given percentage of ascending values does not exceed."""
    return ascending[min(len(ascending) * percent // 100, len(ascending) - 1)]


def peak_mb(pid: int) -> float:
    """Return the highest memory use of a process so far, in MB."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return int(match[1]) / 1024 if match else 0.0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that all threads of a process have used so far, in seconds."""
    # The fields follow the name, which may contain spaces.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
