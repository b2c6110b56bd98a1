"""What a dead worker held is fetched again in time, and no worker dies without a cause."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from history.checker.index import Delivery, Index, Process, Window
from history.checker.janitor import extension, round_began, unattended
from history.checker.possession import TOLERANCE_SECONDS
from history.checker.times import available, gaps, merge, uncut
from history.checker.verdict import Promises, Verdict


def check(found: Index, state: Mapping[str, Any], promises: Promises, verdict: Verdict) -> None:
    """Check the deadline of each redelivery, and that each process of a node had ended before the next one began."""
    outages = (Window(each.begin, each.end + promises.outage_seconds, each.reason) for each in found.outages)
    unavailable = merge([*outages, *_unserved(found), *unattended(found, promises)])
    limit = promises.redelivery_seconds
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
            begin = process.dead_at
            if _waited(found, promises, begin, seen, unavailable) > limit:
                earlier = [at for at in deaths if at < seen]
                begin = _last_death(found, promises, begin, earlier, unavailable)
                if begin > process.dead_at:
                    verdict.counts["redeliveries counted from a later death"] += 1
            waited = _waited(found, promises, begin, seen, unavailable)
            verdict.redeliveries.append(waited)
            if waited > limit and not found.loss(*(each.end for each in delivery.fetches)):
                text = f"{process.name} held it at its death, and it returned {waited:.1f} s later; limit {limit:.1f} s"
                verdict.violate("late redelivery", delivery.id, text)
    _check_causes(found, verdict)


def _waited(found: Index, promises: Promises, begin: float, seen: float, unavailable: list[Window]) -> float:
    """Return the seconds of a redelivery that count."""
    rounds = extension(found, promises, begin, unavailable)
    return max(0.0, available(begin, seen, merge([*unavailable, *rounds])))


def _last_death(
    found: Index, promises: Promises, dead_at: float, deaths: list[float], unavailable: list[Window]
) -> float:
    """Return the time from which the deadline of a redelivery counts.

    That is the death of the worker. Another one may have fetched the message meanwhile, and died before it could record
    this, but only if a round has begun that may have returned it. No message survives more deaths than its limit.

    Args:
        found: The history.
        promises: The limits.
        dead_at: Time of the death.
        deaths: Times at which workers died before the message was seen again.
        unavailable: Times that do not count.
    """
    begin, limit = dead_at, promises.redelivery_seconds
    for _ in range(promises.max_deliveries):
        silent_at = begin + promises.heartbeat_seconds - TOLERANCE_SECONDS
        others = [
            at
            for at in deaths
            if silent_at <= at and round_began(found, silent_at, at) and available(begin, at, unavailable) <= limit
        ]
        if not others:
            break
        begin = max(others)
    return begin


def _unserved(found: Index) -> list[Window]:
    """Return the times in which no worker lived that was not stopped or cut off. On a busy machine, a start is slow."""
    served = []
    for process in found.processes.values():
        if process.heartbeats:
            end = math.inf if process.dead_since is None else process.dead_since
            # Redis has answered the first one.
            served += uncut(process.heartbeats[0][1], end, found.cuts.get(process.node, ()))
    return gaps(served, "no worker")


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
