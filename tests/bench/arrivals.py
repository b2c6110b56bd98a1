"""How late runs come into their queue, and what the process that sends them costs."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from financehub_scheduler.recurrence.recurrence import jitter_offset

#: How long a burst may take; what is not there by then counts as that late.
PATIENCE = 30.0


def burst_lateness(client: Any, queue: str, due: float, count: int) -> float:
    """Seconds from `due` (Unix seconds) until 99 % of `count` messages are in the list `queue`."""
    time.sleep(max(0.0, due - time.time() - 0.1))
    while client.llen(queue) < count * 0.99:
        if time.time() > due + PATIENCE:
            return PATIENCE
        time.sleep(0.002)
    return time.time() - due


def lateness(client: Any, queue: str, begin: float, end: float, jitter: int = 0) -> list[float]:
    """Ascending lateness of the runs that come between two times, seconds; they are taken out of the queue.

    Args:
        client: of Redis.
        queue: name of the list.
        begin: Unix seconds; what came before is not measured.
        end: Unix seconds.
        jitter: `jitterSeconds` of their schedules; they are awaited that much later, each by its own offset.
    """
    late = []
    for at, ids in tuple(_arrivals(client, queue, begin, end)):
        for message in client.hmget(f"{queue}.msgs", ids):
            options = json.loads(message)["options"]
            late.append(at - options["due_at"] / 1000 - jitter_offset(options["schedule_uid"], jitter))
    return sorted(late)


def _arrivals(client: Any, queue: str, begin: float, end: float) -> Iterator[tuple[float, list[bytes]]]:
    while (now := time.time()) < end:
        if (ids := client.lpop(queue, 10_000)) and now > begin:
            yield time.time(), ids
        time.sleep(0.001)


def quantile(ascending: list[float], percent: int) -> float:
    """The value that `percent` of them do not exceed."""
    return ascending[min(len(ascending) * percent // 100, len(ascending) - 1)]


def peak_mb(pid: int) -> float:
    """The most memory that a process has had in use, MB."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return int(match[1]) / 1024 if match else 0.0


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, all threads."""
    # behind the name, which may contain spaces
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
