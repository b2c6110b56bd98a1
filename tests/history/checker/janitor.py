"""The janitor of each scheduler works at its interval: its rounds begin in time, and none of them takes too long.

The limits count from the end of the round before, and not from when a round happened to begin. They hold while Redis is
unavailable too, because a round then fails and the next one begins after the interval.
"""

import math
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from history.checker.index import Index, Process, Span, Window
from history.checker.times import available, gaps, merge, uncut
from history.checker.verdict import Promises, Verdict

#: Number of pauses of a janitor from which their median says something, and the seconds by which it may be too long.
_FEW_PAUSES, _MEDIAN_SLACK_SECONDS = 6, 1.0


def check(found: Index, state: Mapping[str, Any], promises: Promises, verdict: Verdict) -> None:
    """Check the pauses between the rounds of each janitor, and how long its rounds take."""
    for process in found.processes.values():
        if process.janitor_since is not None:
            _check_pauses(found, promises, process, process.janitor_since, verdict)
            _check_durations(found, promises, process, verdict)
            verdict.counts["rounds of the janitor"] += len(process.rounds)


def _check_pauses(found: Index, promises: Promises, process: Process, since: float, verdict: Verdict) -> None:
    limit = promises.janitor_seconds + promises.slack_seconds
    # Only a process that is stopped cannot begin a round. Without a network, it begins one that fails.
    stops = merge(cut for cut in found.cuts.get(process.node, ()) if cut.reason == "SIGSTOP")
    ends = [since, *(math.inf if each.end is None else each.end for each in process.rounds)]
    begins = [*(each.begin for each in process.rounds), _last(found, process)]
    times = [(end, begin) for end, begin in zip(ends, begins, strict=True) if end < begin]  # it may die in a round
    pauses = [available(end, begin, stops) for end, begin in times]
    verdict.pauses += pauses
    for (end, _), pause in zip(times, pauses, strict=True):
        if pause > limit:
            text = f"no round began for {pause:.1f} s after {end:.1f}; limit {limit:.1f} s"
            verdict.violate("late round", process.name, text)
    # A busy machine delays some rounds for long, but not half of them. The first and the last pause are shorter.
    middle = median(pauses[1:-1]) if len(pauses) > _FEW_PAUSES else 0.0
    if middle > promises.janitor_seconds + _MEDIAN_SLACK_SECONDS:
        verdict.violate("late round", process.name, f"the median of the pauses between its rounds is {middle:.1f} s")


def _check_durations(found: Index, promises: Promises, process: Process, verdict: Verdict) -> None:
    # A command that waits for a reply when Redis is available again has a timeout.
    faults = [*found.outages, *(cut for cut in found.cuts.get(process.node, ()))]
    delayed = merge(Window(each.begin, each.end + promises.command_seconds, each.reason) for each in faults)
    for each in process.rounds:
        taken = available(each.begin, _last(found, process) if each.end is None else each.end, delayed)
        if taken > promises.round_seconds:
            text = f"a round took {taken:.1f} s from {each.begin:.1f}; limit {promises.round_seconds:.1f} s"
            verdict.violate("late round", process.name, text)


def _last(found: Index, process: Process) -> float:
    return found.end if process.dead_since is None else process.dead_since


def unattended(found: Index, promises: Promises) -> list[Window]:
    """Return the times in which no process could reclaim that lived and was not stopped or cut off.

    A janitor reclaims nothing for some time after its start and after an outage, which a cut is for it.
    """
    attended = []
    for process in found.processes.values():
        if process.janitor_since is not None:
            begin = process.janitor_since + promises.recovery_seconds
            pause = promises.outage_seconds
            attended += uncut(begin, _last(found, process), found.cuts.get(process.node, ()), pause)
    return gaps(attended, "no janitor")


def extension(found: Index, promises: Promises, begin: float, unavailable: list[Window]) -> list[Window]:
    """Return the times of the rounds that extend the deadline of a redelivery.

    That is the first round that may take the message back and, if its process was in another round when the worker
    counted as dead, the rest of that one. A round that begins after the deadline extends nothing.

    Args:
        found: The history.
        promises: The limits.
        begin: Time of the death.
        unavailable: Times that do not count.
    """
    silent_at = begin + promises.heartbeat_seconds
    choices = []
    for process in found.processes.values():
        first = next((each for each in _reclaiming(process, promises) if each.begin >= silent_at), None)
        if first is None or first.end is None:
            continue
        before = [
            Window(silent_at, each.end, "round")
            for each in process.rounds
            if each.end is not None and each.begin < silent_at < each.end
        ]
        if available(begin, first.begin, merge([*unavailable, *before])) <= promises.redelivery_seconds:
            choices.append((first.end, [*before, Window(first.begin, first.end, "round")]))
    return min(choices, key=lambda choice: choice[0], default=(0.0, []))[1]


def _reclaiming(process: Process, promises: Promises) -> Iterator[Span]:
    """Return the rounds that may reclaim: not those shortly after the start, or after a round that failed."""
    since: float | None = None
    for each in process.rounds:
        if each.result != "ok":
            since = None
            continue
        since = each.begin if since is None else since
        if each.begin - since >= promises.recovery_seconds:
            yield each


def round_began(found: Index, begin: float, end: float) -> bool:
    """Whether a round of a janitor began between two times, so that it may have returned a message."""
    return any(begin <= each.begin <= end for process in found.processes.values() for each in process.rounds)
