"""What a dead worker held is fetched again in time, and no worker dies without a cause."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from history.checker.index import Delivery, Index, Process, Window
from history.checker.possession import TOLERANCE_SECONDS
from history.checker.verdict import Promises, Verdict


def check(found: Index, state: Mapping[str, Any], promises: Promises, verdict: Verdict) -> None:
    """Check the deadline of each redelivery, and that each process of a node had ended before the next one began."""
    outages = (
        Window(window.begin, window.end + promises.reconnect_seconds + promises.recovery_seconds, window.reason)
        for window in found.outages
    )
    unavailable = _merge([*outages, *_unserved(found)])
    limit = promises.heartbeat_seconds + promises.janitor_seconds + promises.slack_seconds
    held, heads, deaths = _held_by_dead(found), _enqueued_before(found), _deaths(found)
    for process in found.processes.values():
        if process.dead_at is None:
            continue
        for delivery in held.get(process.name, ()):
            later = [each for each in delivery.fetches if (each.end or 0) > process.dead_at]
            if not later:
                continue  # it was lost, or its end had arrived although its reply had not
            # It goes to the end of the queue, where it may wait for a long time.
            seen = _enqueued_after(heads[delivery.queue], min(each.begin for each in later))
            begin = _reclaimable(found, promises, process.dead_at)
            # Other workers may have fetched it meanwhile and died before they could record it.
            while others := [
                at
                for at in deaths
                if begin + promises.heartbeat_seconds - TOLERANCE_SECONDS <= at < seen
                and _available(begin, at, unavailable) <= limit
            ]:
                begin = _reclaimable(found, promises, max(others))
            waited = max(0.0, _available(begin, seen, unavailable))
            verdict.redeliveries.append(waited)
            if waited > limit and not found.loss(*(each.end for each in delivery.fetches)):
                text = f"{process.name} held it at its death, and it returned {waited:.1f} s later; limit {limit:.1f} s"
                verdict.violate("late redelivery", delivery.id, text)
    _check_causes(found, verdict)


def _reclaimable(found: Index, promises: Promises, dead_at: float) -> float:
    """Return the time from which the deadline of a redelivery counts.

    That is the death of the worker, or later if the first round of the janitor after the timeout ended late. A round
    has a hundred commands, which take long on a busy machine.
    """
    silent_at = dead_at + promises.heartbeat_seconds
    end = min((window.end for window in found.rounds if window.begin >= silent_at), default=dead_at)
    return max(dead_at, end - promises.heartbeat_seconds - promises.janitor_seconds)


def _unserved(found: Index) -> list[Window]:
    """Return the times in which no worker lived that was not stopped or cut off. On a busy machine, a start is slow."""
    served = []
    for process in found.processes.values():
        if not process.heartbeats:
            continue
        begin = process.heartbeats[0][1]  # Redis has answered it
        cuts = sorted(found.cuts.get(process.node, ()), key=lambda window: window.begin)
        for cut in (each for each in cuts if each.reason != "slow"):
            served.append(Window(begin, cut.begin, "served"))
            begin = max(begin, cut.end)
        served.append(Window(begin, math.inf if process.dead_since is None else process.dead_since, "served"))
    times = _merge(window for window in served if window.begin < window.end)
    return [Window(earlier.end, later.begin, "no worker") for earlier, later in pairwise(times)]


def _deaths(found: Index) -> list[float]:
    """Return the times at which workers died."""
    ends = [process.dead_at for process in found.processes.values() if process.heartbeats]
    return [*(at for at in ends if at is not None), *(window.end for window in found.unseen)]


def _held_by_dead(found: Index) -> dict[str, list[Delivery]]:
    """Return what each process that was killed held at its end."""
    held: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in found.deliveries.values():
        for fetch in delivery.fetches:
            process = found.processes[fetch.process]
            if process.dead_since is None or process.by == "SIGTERM" or (fetch.end or 0) > process.dead_since:
                continue
            ended = [span for span in (*delivery.ends, *delivery.requeues) if span.process == process.name]
            released = [at for at in process.released.get(delivery.queue, ()) if at >= (fetch.end or 0)]
            if not ended and not released:
                held[process.name].append(delivery)
    return held


def _check_causes(found: Index, verdict: Verdict) -> None:
    by_node: dict[str, list[Process]] = defaultdict(list)
    for process in found.processes.values():
        by_node[process.node].append(process)
    for processes in by_node.values():
        processes.sort(key=lambda process: process.first)
        for earlier, later in pairwise(processes):
            if (earlier.dead_since if earlier.dead_since is not None else math.inf) > later.first:
                verdict.violate("death without a cause", earlier.name, f"{later.name} replaced it")


def _enqueued_before(found: Index) -> dict[str, list[tuple[float, float]]]:
    """Return for each queue what shows how old its head was, in the order of the times.

    A queue is first in, first out. What is fetched after a message was enqueued after it, and what is fetched after an
    empty fetch was enqueued after that one. Each entry is the time of a fetch, and the newest such time until then.
    """
    seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for delivery in found.deliveries.values():
        if delivery.fetches:
            seen[delivery.queue].append((delivery.fetches[0].end or 0.0, delivery.sends[0].begin))
    for queue, windows in found.empty.items():
        seen[queue] += [(window.end, window.begin) for window in windows]
    return {queue: list(_with_newest(sorted(entries))) for queue, entries in seen.items()}


def _with_newest(entries: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    newest = 0.0
    for at, enqueued in entries:
        newest = max(newest, enqueued)
        yield at, newest


def _enqueued_after(heads: list[tuple[float, float]], called: float) -> float:
    """Return the earliest time at which a message may have been enqueued that a fetch has found."""
    index = bisect_left(heads, (called,)) - 1
    return heads[index][1] if index >= 0 else 0.0


def _merge(windows: Any) -> list[Window]:
    """Return windows that do not overlap."""
    merged: list[Window] = []
    for window in sorted(windows, key=lambda each: each.begin):
        if merged and window.begin <= merged[-1].end:
            merged[-1] = Window(merged[-1].begin, max(merged[-1].end, window.end), "several")
        else:
            merged.append(window)
    return merged


def _available(begin: float, end: float, unavailable: list[Window]) -> float:
    """Return the seconds of a time in which Redis was available and the janitor could reclaim."""
    return (end - begin) - sum(max(0.0, min(end, window.end) - max(begin, window.begin)) for window in unavailable)
