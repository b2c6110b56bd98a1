"""Decides when a worker may have lost the messages that it holds.

A worker loses a message when it dies, when it gives the message back, or when it sends no heartbeat for the timeout.
The heartbeats are in the history, so a worker that was silent without a fault of its node excuses nothing.
"""

import math
from collections.abc import Iterator

from history.checker.index import Delivery, Index, Process
from history.checker.verdict import Promises

#: A busy machine may delay the record of a reply by this time in seconds.
TOLERANCE_SECONDS = 0.5


def lost_at(found: Index, promises: Promises, delivery: Delivery, process: Process, since: float) -> float:
    """Return the earliest time at which a process may have lost a delivery that it held, or infinity.

    Args:
        found: The history.
        promises: The heartbeat timeout.
        delivery: The delivery.
        process: The process that fetched it.
        since: Time of its fetch.
    """
    times = [process.dead_since] if process.dead_since is not None else []
    times += [span.begin for span in delivery.requeues if span.process == process.name and span.begin >= since]
    times += [at for at in process.released.get(delivery.queue, ()) if at >= since]
    times.append(_silent_at(found, promises, process, since))
    return min((time for time in times if time is not None), default=math.inf)


def times_dead(found: Index, promises: Promises, process: Process, begin: float, end: float) -> int:
    """Return how often a process may have counted as dead in a time: once for each silence, and once for its end."""
    silences = [at for at, until in _silences(found, promises, process) if begin < at < end and until < math.inf]
    has_ended = process.dead_at is not None and process.dead_at > begin and (process.dead_since or 0.0) < end
    return len(silences) + has_ended


def _silent_at(found: Index, promises: Promises, process: Process, since: float) -> float:
    """Return the time from which a process counts as dead because of its silence, or infinity."""
    for at, until in _silences(found, promises, process):
        if until > since:
            return max(at, since)
    return math.inf


def _silences(found: Index, promises: Promises, process: Process) -> Iterator[tuple[float, float]]:
    """Return the times from which a process counts as dead because of its silence, each with the end of the silence."""
    timeout = promises.heartbeat_seconds - TOLERANCE_SECONDS
    last = process.heartbeats[0][0] if process.heartbeats else process.first
    for called, replied in [*process.heartbeats, (math.inf, math.inf)]:
        # Redis may have executed the previous heartbeat at its call, and this one at its reply.
        if replied - last >= timeout and _was_cut_off(found, process, last, replied):
            yield last + timeout, replied
        last = max(last, called)  # an acknowledgment that fetches may take longer than a later fetch


def _was_cut_off(found: Index, process: Process, begin: float, end: float) -> bool:
    return any(window.touches(begin, end) for window in found.cuts.get(process.node, ()))


def final_end(found: Index, promises: Promises, delivery: Delivery) -> float | None:
    """Return the time at which a confirmed acknowledgment or dead letter has ended a delivery, or None.

    One by a process that may have lost the delivery before has no effect.
    """
    times = []
    for span in delivery.ends:
        if span.end is None:
            continue
        own = [each.begin for each in delivery.fetches if each.process == span.process and each.begin < span.begin]
        fetched = max(own, default=0.0)
        process = found.processes[span.process]
        if lost_at(found, promises, delivery, process, fetched) > span.end:
            times.append(span.end)
    return min(times, default=None)
