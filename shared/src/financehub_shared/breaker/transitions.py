"""Circuit breaker transitions: a pure function from record, event and time to record and reply.

`breaker.lua` implements the same function in Redis. A test runs both with the same events and compares the results.
"""

import math
from dataclasses import replace

from financehub_shared.breaker.model import (
    Admit,
    BreakerEvent,
    BreakerReason,
    BreakerRecord,
    BreakerReply,
    BreakerState,
    CallOutcome,
    Close,
    CountedCall,
    Decision,
    ForceOpen,
    RecordOutcome,
    Reset,
)
from financehub_shared.breaker.policy import BreakerPolicy

#: Largest share of the open time that jitter subtracts, so that breakers that opened together do not probe together.
JITTER_SHARE = 0.2
#: Number of doublings after which every limit is reached; it keeps 2**n finite.
DOUBLINGS_MAX = 30


def step(
    record: BreakerRecord, event: BreakerEvent, now: int, policy: BreakerPolicy, jitter: float
) -> tuple[BreakerRecord, BreakerReply]:
    """Apply an event to a breaker.

    Args:
        record: Record before the event.
        event: The event.
        now: Current time in Unix ms.
        policy: Policy of the breaker.
        jitter: Random number in [0, 1).

    Returns:
        The record after the event, and the reply.
    """
    before = _reanchored(record, now)
    match event:
        case Admit():
            after, decision = _admit(before, event, now, policy)
        case RecordOutcome():
            after, decision = _record_outcome(before, event, now, policy, jitter)
        case ForceOpen():
            after, decision = _enter(before, BreakerState.OPEN, now, 0, BreakerReason.FORCED), Decision.DONE
        case Close():
            after, decision = _enter(before, BreakerState.CLOSED, now, 0, BreakerReason.CLOSED_BY_HAND), Decision.DONE
        case Reset():
            empty = BreakerRecord(epoch=before.epoch)
            after, decision = _enter(empty, BreakerState.CLOSED, now, 0, BreakerReason.RESET), Decision.DONE
    wait = policy.open_ms if after.forced else max(after.until - now, 0)
    return after, BreakerReply(decision, record.state, after.state, after.epoch, wait, after.reason, after.error)


def _reanchored(record: BreakerRecord, now: int) -> BreakerRecord:
    """Restart the state now if the clock was set back to a time before `since`.

    Otherwise the open time would grow by the size of the jump.
    """
    if now >= record.since:
        return record
    return replace(record, since=now, until=now + record.until - record.since if record.until else 0)


def _enter(record: BreakerRecord, state: BreakerState, now: int, until: int, reason: BreakerReason) -> BreakerRecord:
    epoch = max(record.epoch + 1, now)  # larger than every earlier epoch, even after Redis lost its data
    return replace(record, state=state, epoch=epoch, since=now, until=until, reason=reason, window=())


def _admit(record: BreakerRecord, event: Admit, now: int, policy: BreakerPolicy) -> tuple[BreakerRecord, Decision]:
    if record.state is BreakerState.CLOSED:
        successes = tuple(
            CountedCall(now - age, failed=False) for epoch, age in event.successes if epoch == record.epoch
        )
        if successes:
            record = replace(record, window=_pruned((*record.window, *successes), now, policy))
        return record, Decision.ADMITTED
    if record.forced or now < record.until:
        return record, Decision.REJECTED
    return _enter(record, BreakerState.HALF_OPEN, now, now + policy.probe_ms, BreakerReason.PROBE), Decision.PROBE


def _record_outcome(
    record: BreakerRecord, event: RecordOutcome, now: int, policy: BreakerPolicy, jitter: float
) -> tuple[BreakerRecord, Decision]:
    if event.epoch != record.epoch or record.state is BreakerState.OPEN:
        return record, Decision.STALE
    if event.outcome is CallOutcome.FAILURE:
        record = replace(record, error=event.error, error_at=now)
        return _failed(record, event.retry_after_ms, now, policy, jitter), Decision.DONE
    if record.state is BreakerState.HALF_OPEN:
        if event.outcome is CallOutcome.SUCCESS:
            return _enter(record, BreakerState.CLOSED, now, 0, BreakerReason.RECOVERED), Decision.DONE
        return _enter(record, BreakerState.OPEN, now, now, BreakerReason.PROBE_ABANDONED), Decision.DONE
    if event.outcome is CallOutcome.SUCCESS:
        record = replace(record, window=_pruned((*record.window, CountedCall(now, failed=False)), now, policy))
    return record, Decision.DONE


def _failed(record: BreakerRecord, retry_after: int, now: int, policy: BreakerPolicy, jitter: float) -> BreakerRecord:
    if record.state is BreakerState.HALF_OPEN:
        return _trip(record, BreakerReason.PROBE_FAILED, retry_after, now, policy, jitter)
    window = _pruned((*record.window, CountedCall(now, failed=True)), now, policy)
    record = replace(record, window=window)
    failures = sum(call.failed for call in window)
    if retry_after > 0:
        return _trip(record, BreakerReason.RETRY_AFTER, retry_after, now, policy, jitter)
    if len(window) >= policy.minimum_calls and failures / len(window) >= policy.failure_ratio:
        return _trip(record, BreakerReason.FAILURES, 0, now, policy, jitter)
    return record


def _trip(
    record: BreakerRecord, reason: BreakerReason, retry_after: int, now: int, policy: BreakerPolicy, jitter: float
) -> BreakerRecord:
    # If a breaker opens again within a window after it closed, it had not recovered, and its open time keeps growing.
    again = record.state is BreakerState.HALF_OPEN or now - record.since < policy.window_ms
    trips = record.trips + 1 if again else 1
    grown = min(policy.open_max_ms, policy.open_ms * 2 ** min(trips - 1, DOUBLINGS_MAX))
    wait = math.floor(grown * (1 - JITTER_SHARE * jitter))
    if retry_after > 0:
        # Never probe before the time that the upstream specified. If a probe failed, that wait was too short.
        requested = retry_after + math.floor(JITTER_SHARE * jitter * min(retry_after, policy.open_ms))
        wait = max(requested, wait) if trips > 1 else requested
    opened = _enter(record, BreakerState.OPEN, now, now + wait, reason)
    return replace(opened, trips=trips, window=record.window)


def _pruned(calls: tuple[CountedCall, ...], now: int, policy: BreakerPolicy) -> tuple[CountedCall, ...]:
    """Return the calls in the window. A time in the future, recorded before the clock was set back, counts as now."""
    clamped = (CountedCall(min(call.at, now), call.failed) for call in calls)
    return tuple(call for call in clamped if call.at > now - policy.window_ms)[-policy.window_calls :]
