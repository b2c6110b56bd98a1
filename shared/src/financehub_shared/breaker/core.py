"""The transitions of a circuit breaker: state, event and time in, new state and answer out. No I/O.

`breaker.lua` is the same function for Redis; a test drives both with the same events and compares them.
"""

import math
from dataclasses import replace

from financehub_shared.breaker.states import (
    Admit,
    Call,
    Close,
    Event,
    ForceOpen,
    Outcome,
    Phase,
    Policy,
    Reason,
    Record,
    Reply,
    Reset,
    State,
    Verdict,
)

#: Share of an open time that chance may take off, so that breakers which opened together do not probe together.
JITTER = 0.2
#: Doublings after which any cap is reached; keeps 2**n finite.
DOUBLINGS_MAX = 30


def step(state: State, event: Event, now: int, policy: Policy, luck: float) -> tuple[State, Reply]:
    """What `event` does to a breaker.

    Args:
        state: before.
        event: what happened.
        now: Unix ms.
        policy: the breaker's policy.
        luck: a random number in [0, 1), for jitter.

    Returns:
        The state after, and the answer.
    """
    before = _reanchored(state, now)
    match event:
        case Admit():
            after, verdict = _admit(before, event, now, policy)
        case Record():
            after, verdict = _record(before, event, now, policy, luck)
        case ForceOpen():
            after, verdict = _enter(before, Phase.OPEN, now, 0, Reason.FORCED), Verdict.DONE
        case Close():
            after, verdict = _enter(before, Phase.CLOSED, now, 0, Reason.CLOSED_BY_HAND), Verdict.DONE
        case Reset():
            forgotten = State(epoch=before.epoch)
            after, verdict = _enter(forgotten, Phase.CLOSED, now, 0, Reason.RESET), Verdict.DONE
    wait = policy.open_ms if after.forced else max(after.until - now, 0)
    return after, Reply(verdict, state.phase, after.phase, after.epoch, wait, after.reason, after.error)


def _reanchored(state: State, now: int) -> State:
    """Where the clock was set back behind `since`, let the phase begin now: an open time must not grow by the jump."""
    if now >= state.since:
        return state
    return replace(state, since=now, until=now + state.until - state.since if state.until else 0)


def _enter(state: State, phase: Phase, now: int, until: int, reason: Reason) -> State:
    epoch = max(state.epoch + 1, now)  # above every earlier one, also after Redis lost its data
    return replace(state, phase=phase, epoch=epoch, since=now, until=until, reason=reason, window=())


def _admit(state: State, event: Admit, now: int, policy: Policy) -> tuple[State, Verdict]:
    if state.phase is Phase.CLOSED:
        recent = tuple(Call(now - age, failed=False) for epoch, age in event.successes if epoch == state.epoch)
        if recent:
            state = replace(state, window=_counted((*state.window, *recent), now, policy))
        return state, Verdict.ADMITTED
    if state.forced or now < state.until:
        return state, Verdict.REJECTED
    return _enter(state, Phase.HALF_OPEN, now, now + policy.probe_ms, Reason.PROBE), Verdict.PROBE


def _record(state: State, event: Record, now: int, policy: Policy, luck: float) -> tuple[State, Verdict]:
    if event.epoch != state.epoch or state.phase is Phase.OPEN:
        return state, Verdict.STALE
    if event.outcome is Outcome.FAILURE:
        state = replace(state, error=event.error, error_at=now)
        return _failed(state, event.retry_after_ms, now, policy, luck), Verdict.DONE
    if state.phase is Phase.HALF_OPEN:
        if event.outcome is Outcome.SUCCESS:
            return _enter(state, Phase.CLOSED, now, 0, Reason.RECOVERED), Verdict.DONE
        return _enter(state, Phase.OPEN, now, now, Reason.PROBE_ABANDONED), Verdict.DONE
    if event.outcome is Outcome.SUCCESS:
        state = replace(state, window=_counted((*state.window, Call(now, failed=False)), now, policy))
    return state, Verdict.DONE


def _failed(state: State, retry_after: int, now: int, policy: Policy, luck: float) -> State:
    if state.phase is Phase.HALF_OPEN:
        return _trip(state, Reason.PROBE_FAILED, retry_after, now, policy, luck)
    window = _counted((*state.window, Call(now, failed=True)), now, policy)
    state = replace(state, window=window)
    failures = sum(call.failed for call in window)
    if retry_after > 0:
        return _trip(state, Reason.RETRY_AFTER, retry_after, now, policy, luck)
    if len(window) >= policy.minimum_calls and failures / len(window) >= policy.failure_ratio:
        return _trip(state, Reason.FAILURES, 0, now, policy, luck)
    return state


def _trip(state: State, reason: Reason, retry_after: int, now: int, policy: Policy, luck: float) -> State:
    # a breaker that closed and opens again within a window has not recovered: its open time goes on growing
    again = state.phase is Phase.HALF_OPEN or now - state.since < policy.window_ms
    trips = state.trips + 1 if again else 1
    grown = min(policy.open_max_ms, policy.open_ms * 2 ** min(trips - 1, DOUBLINGS_MAX))
    wait = math.floor(grown * (1 - JITTER * luck))
    if retry_after > 0:
        # never before the time the upstream named; its word was too short if the probe then failed
        asked = retry_after + math.floor(JITTER * luck * min(retry_after, policy.open_ms))
        wait = max(asked, wait) if trips > 1 else asked
    return replace(_enter(state, Phase.OPEN, now, now + wait, reason), trips=trips, window=state.window)


def _counted(calls: tuple[Call, ...], now: int, policy: Policy) -> tuple[Call, ...]:
    """The calls of the window; a time in the future, from before the clock was set back, counts as now."""
    known = (Call(min(call.at, now), call.failed) for call in calls)
    return tuple(call for call in known if call.at > now - policy.window_ms)[-policy.window_calls :]
