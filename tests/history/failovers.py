"""Finds the failovers that Sentinels have begun without a fault, because a busy machine delayed the master.

Until a Sentinel makes the old master a replica, it confirms writes that are lost, so the checker must know the time.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

#: Seconds before Sentinels take a master for lost in which the new master may not have received writes.
_BEFORE_SECONDS = 3.0
#: Seconds for which an old master works on if no Sentinel has logged that it became a replica.
_AFTER_SECONDS = 30.0
_LINE = re.compile(r"\d+:X (\d+ \w+ \d+ \d+:\d+:\d+)\.(\d+) . (\+switch-master|\+sdown master|\+convert-to-slave) (.*)")


@dataclass(frozen=True, slots=True)
class _Entry:
    at: float
    kind: str
    text: str


def failovers(logs: Iterable[str]) -> list[tuple[float, float]]:
    """Return the times of failovers in Unix seconds: from the doubt about a master until it is a replica.

    Args:
        logs: Texts of the logs of the Sentinels of one service.
    """
    entries = sorted(
        (entry for log in logs for entry in map(_entry, log.splitlines()) if entry), key=lambda entry: entry.at
    )
    found: list[tuple[float, float]] = []
    for entry in entries:
        # Each Sentinel logs each failover.
        if entry.kind != "+switch-master" or any(begin <= entry.at <= end for begin, end in found):
            continue
        old = entry.text.split()[1]
        doubts = [each.at for each in entries if each.kind == "+sdown master" and f" {old} " in each.text]
        ends = [each.at for each in entries if each.kind == "+convert-to-slave" and f" {old} " in each.text]
        begin = max((at for at in doubts if at < entry.at), default=entry.at)
        end = min((at for at in ends if at > entry.at), default=entry.at + _AFTER_SECONDS)
        found.append((begin - _BEFORE_SECONDS, end))
    return found


def _entry(line: str) -> _Entry | None:
    match = _LINE.match(line)
    if match is None:
        return None
    at = time.mktime(time.strptime(match[1], "%d %b %Y %H:%M:%S")) + int(match[2]) / 1000
    return _Entry(at, match[3], match[4])
