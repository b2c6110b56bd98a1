"""Writes what a soak does to a file as it happens, and reads it, so that a report needs nothing else of an ended soak.

Each line of `journal.jsonl` is an event. A line that was cut off by the end of the program does not count.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from soak.accounts import Disturbance, ScheduleCounts
from soak.inflicted import Inflicted

JOURNAL = "journal.jsonl"


class Journal:
    """Appends events to the file.

    Args:
        folder: Folder of the soak.
        clock: Returns the time in Unix seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = folder / JOURNAL
        self._clock = clock

    def _append(self, event: str, **fields: Any) -> None:
        line = json.dumps({"event": event, "at": self._clock(), **fields}, separators=(",", ":"))
        with self._file.open("a", encoding="utf-8") as output:
            output.write(f"{line}\n")

    def setup(self, title: str, minutes: float) -> None:
        """Write what the soak consists of, with its intended duration in minutes."""
        self._append("setup", title=title, minutes=minutes)

    def baseline(self, counts: Sequence[ScheduleCounts]) -> None:
        """Write the counters before the faults."""
        self._append("baseline", counts=[asdict(each) for each in counts])

    def begin(self) -> None:
        """Write that the faults begin."""
        self._append("begin")

    def fault(self, name: str, begin: float, *, repeats: bool, fails: bool, everywhere: bool) -> None:
        """Write that a fault begins, and what it can excuse."""
        self._append("fault", name=name, begin=begin, repeats=repeats, fails=fails, everywhere=everywhere)

    def hit(self, pods: Iterable[str]) -> None:
        """Write which pods the current fault has hit."""
        self._append("hit", pods=sorted(pods))

    def recovered(self, inflicted: Inflicted) -> None:
        """Write a fault that is over."""
        fields = asdict(inflicted)
        fields["disturbance"]["pods"] = sorted(inflicted.disturbance.pods)
        self._append("recovered", inflicted=fields)

    def finding(self, text: str) -> None:
        """Write something that must not be."""
        self._append("finding", text=text)

    def letters(self, count: int) -> None:
        """Write the number of dead letters."""
        self._append("letters", count=count)

    def end(self, counts: Sequence[ScheduleCounts], stopped_at: float | None) -> None:
        """Write the counters at the end.

        Args:
            counts: The counters. All attempts have been read when this is written.
            stopped_at: Time at which the schedulers were stopped in Unix seconds, or None if they were not.
        """
        self._append("end", counts=[asdict(each) for each in counts], stopped_at=stopped_at)


@dataclass
class Recorded:
    """What a journal contains.

    Args:
        title: What the soak consists of.
        minutes: Its intended duration.
        begin: Begin of the faults in Unix seconds, or that of the soak if it has had none.
        inflicted: The faults. One that was not over has no end.
        findings: What must not be.
        before, after: The counters before the faults and at the end, or None if they were not read.
        stopped_at: Time at which the schedulers were stopped in Unix seconds, or None if they were not.
        letters: Number of dead letters, or None if they were not read.
    """

    title: str = ""
    minutes: float = 5.0
    begin: float = 0.0
    inflicted: list[Inflicted] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    before: list[ScheduleCounts] | None = None
    after: list[ScheduleCounts] | None = None
    stopped_at: float | None = None
    letters: int | None = None


def complete_lines(file: Path) -> list[str]:
    """Return the lines of a file without one that has no end, or nothing if there is no file."""
    if not file.exists():
        return []
    return file.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()


def read_journal(folder: Path) -> Recorded:
    """Return what the journal of a soak contains.

    Args:
        folder: Folder of the soak.
    """
    recorded = Recorded()
    current: dict[str, Any] | None = None
    for line in complete_lines(folder / JOURNAL):
        entry = json.loads(line)
        match entry["event"]:
            case "fault":
                current = {**entry, "pods": []}
            case "hit" if current is not None:
                current["pods"] += entry["pods"]
            case "recovered":
                current = None
                recorded.inflicted.append(_inflicted(entry["inflicted"]))
            case _:
                _add(entry, recorded)
    if current is not None:
        recorded.inflicted.append(_unfinished(current))
    return recorded


def _add(entry: dict[str, Any], recorded: Recorded) -> None:
    match entry["event"]:
        case "setup":
            recorded.title, recorded.minutes, recorded.begin = entry["title"], entry["minutes"], entry["at"]
        case "baseline":
            recorded.before = [ScheduleCounts(**each) for each in entry["counts"]]
        case "begin":
            recorded.begin = entry["at"]
        case "finding":
            recorded.findings.append(entry["text"])
        case "letters":
            recorded.letters = entry["count"]
        case "end":
            recorded.after = [ScheduleCounts(**each) for each in entry["counts"]]
            recorded.stopped_at = entry["stopped_at"]


def _inflicted(fields: dict[str, Any]) -> Inflicted:
    disturbance = fields.pop("disturbance")
    return Inflicted(**fields, disturbance=Disturbance(**disturbance | {"pods": frozenset(disturbance["pods"])}))


def _unfinished(entry: dict[str, Any]) -> Inflicted:
    """Return a fault during which the program ended: nobody knows when it was over."""
    name, begin = entry["name"], entry["begin"]
    pods = frozenset() if entry["everywhere"] else frozenset(entry["pods"] or {"none"})
    excuse = Disturbance(name, begin, math.inf, entry["repeats"], entry["fails"], pods)
    note = " ".join((*entry["pods"], "(not over)"))
    return Inflicted(name, note, begin, begin, begin, excuse, f"{name} was not over when the soak was ended")
