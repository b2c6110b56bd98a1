"""The laws of the breaker's transitions, for any sequence of events."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.breaker.core import step
from financehub_shared.breaker.states import (
    Admit,
    Close,
    Event,
    ForceOpen,
    Outcome,
    Phase,
    Policy,
    Reason,
    Record,
    Reset,
    State,
    Verdict,
)

NOW = 1_800_000_000_000
POLICIES = st.builds(
    Policy,
    window_ms=st.integers(1_000, 600_000),
    minimum_calls=st.integers(1, 20),
    failure_ratio=st.floats(0.05, 1),
    open_ms=st.integers(100, 30_000),
    open_max_ms=st.integers(30_000, 600_000),
    probe_ms=st.integers(100, 30_000),
)
LUCK = st.floats(0, 1, exclude_max=True)


@dataclass(frozen=True)
class Move:
    """An event some time later; `current` records with the epoch of the state, others with an older one."""

    kind: str
    later: int
    luck: float
    retry_after: int = 0
    current: bool = True

    def event(self, state: State) -> Event:
        epoch = state.epoch if self.current else state.epoch - 1
        match self.kind:
            case "admit":
                return Admit()
            case "flush":
                return Admit(((epoch, 5), (epoch, 0)))
            case "force":
                return ForceOpen()
            case "close":
                return Close()
            case "reset":
                return Reset()
            case outcome:
                return Record(epoch, Outcome(outcome), self.retry_after, "broken")


CALLS = ["admit", "flush", "success", "failure", "ignored"]
MOVES = st.lists(
    st.builds(
        Move,
        kind=st.sampled_from([*CALLS, "failure", "failure", "admit", "force", "close", "reset"]),
        later=st.integers(0, 60_000),
        luck=LUCK,
        retry_after=st.sampled_from([0, 0, 0, 1, 5_000, 86_400_000]),
        current=st.booleans(),
    ),
    max_size=40,
)


def reached(moves: list[Move], policy: Policy, state: State = State(), now: int = NOW) -> tuple[State, int]:  # noqa: B008 — frozen
    for move in moves:
        now += move.later
        state, _ = step(state, move.event(state), now, policy, move.luck)
    return state, now


def failures(count: int, policy: Policy, state: State, now: int, every: int = 0) -> tuple[State, int]:
    for _ in range(count):
        state, _ = step(state, Record(state.epoch, Outcome.FAILURE, 0, "broken"), now, policy, 0.0)
        now += every
    return state, now


@given(policy=POLICIES, healthy=st.integers(0, 300))
def test_minimum_calls_failures_open_it_after_any_healthy_past(policy: Policy, healthy: int):
    """However many calls went well before, `minimum_calls` failures in a row open it."""
    state = State()
    for _ in range(healthy):
        state, _ = step(state, Record(state.epoch, Outcome.SUCCESS), NOW, policy, 0.0)
    state, _ = failures(policy.minimum_calls, policy, state, NOW)
    assert state.phase is Phase.OPEN


@given(policy=POLICIES)
def test_fewer_than_minimum_calls_never_open_it(policy: Policy):
    """A failure rate of fewer calls than the minimum says nothing."""
    state, _ = failures(policy.minimum_calls - 1, policy, State(), NOW)
    assert state.phase is Phase.CLOSED


@given(policy=POLICIES)
def test_failures_older_than_the_window_do_not_count(policy: Policy):
    """Failures that are spread wider than the window allows never open it."""
    policy = replace(policy, minimum_calls=max(policy.minimum_calls, 2))
    state, _ = failures(3 * policy.minimum_calls, policy, State(), NOW, every=policy.window_ms)
    assert state.phase is Phase.CLOSED


def test_a_share_of_failures_below_the_ratio_keeps_it_closed():
    """Four failures in ten calls are below a ratio of one half, the fifth reaches it."""
    policy, state = Policy(minimum_calls=5, failure_ratio=0.5), State()
    for failed in (False, False, True, False, True, False, False, True, True):
        outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
        state, _ = step(state, Record(state.epoch, outcome), NOW, policy, 0.0)
    assert (state.phase, len(state.window)) == (Phase.CLOSED, 9)
    state, _ = failures(1, policy, state, NOW)
    assert (state.phase, state.reason) == (Phase.OPEN, Reason.FAILURES)


@given(moves=MOVES, policy=POLICIES, outcome=st.sampled_from(Outcome), behind=st.integers(1, 10**13))
def test_a_late_result_of_an_old_epoch_changes_nothing(
    moves: list[Move], policy: Policy, outcome: Outcome, behind: int
):
    """A result that carries the epoch of an earlier phase or probe leaves the state as it is."""
    state, now = reached(moves, policy)
    after, reply = step(state, Record(state.epoch - behind, outcome, 60_000, "late"), now, policy, 0.5)
    assert after == state
    assert reply.verdict is Verdict.STALE


@given(moves=MOVES, policy=POLICIES)
def test_every_change_of_phase_and_every_probe_has_an_epoch_of_its_own(moves: list[Move], policy: Policy):
    """The epoch never falls, and grows whenever the phase changes or a probe goes."""
    state, now = State(), NOW
    for move in moves:
        now += move.later
        after, reply = step(state, move.event(state), now, policy, move.luck)
        assert after.epoch >= state.epoch
        if after.phase is not state.phase or reply.verdict is Verdict.PROBE:
            assert after.epoch > state.epoch
        state = after


@given(moves=MOVES, policy=POLICIES)
def test_it_is_never_stuck(moves: list[Move], policy: Policy):
    """From any state that nobody forced, a call passes once the announced wait is over, whoever died meanwhile."""
    state, now = reached(moves, policy)
    _, reply = step(state, Admit(), now, policy, 0.5)
    if state.forced:
        assert reply.verdict is Verdict.REJECTED
        state, reply = step(state, Close(), now, policy, 0.5)
    _, later = step(state, Admit(), now + reply.wait_ms, policy, 0.5)
    assert later.verdict in {Verdict.ADMITTED, Verdict.PROBE}


@given(moves=MOVES, policy=POLICIES, asks=st.lists(st.integers(0, 40_000), max_size=20))
def test_one_probe_at_a_time(moves: list[Move], policy: Policy, asks: list[int]):
    """While a probe's lease lasts nobody else passes; after it, exactly one does."""
    state, now = reached(moves, policy)
    state, _ = step(state, Close(), now, policy, 0.5)
    state, now = failures(policy.minimum_calls, policy, state, now)
    now = state.until
    state, reply = step(state, Admit(), now, policy, 0.5)
    assert reply.verdict is Verdict.PROBE
    lease_ends = now + policy.probe_ms
    for ask in asks:
        now += ask
        state, reply = step(state, Admit(), now, policy, 0.5)
        assert (reply.verdict is Verdict.PROBE) == (now >= lease_ends)
        if reply.verdict is Verdict.PROBE:
            lease_ends = now + policy.probe_ms


@given(moves=MOVES, policy=POLICIES, luck=LUCK, asked=st.sampled_from([0, 1, 20_000, 259_200_000]))
def test_open_time_is_within_its_bounds(moves: list[Move], policy: Policy, luck: float, asked: int):
    """Without a word of the upstream the wait is in [0.8 open, cap]; with one it is never shorter than that word."""
    state, now = reached(moves, policy)
    state, _ = step(state, Close(), now, policy, 0.0)
    for _ in range(policy.minimum_calls):
        state, reply = step(state, Record(state.epoch, Outcome.FAILURE, asked), now, policy, luck)
        if state.phase is Phase.OPEN:
            break
    floor = min(policy.open_ms, policy.open_max_ms) * 0.8 - 1
    assert reply.wait_ms >= (asked or floor)
    assert reply.wait_ms <= max(policy.open_max_ms, asked + 0.2 * policy.open_ms)


def test_open_time_doubles_to_its_cap_while_probes_fail():
    """Each failed probe doubles the open time, up to the cap."""
    policy, now = Policy(open_ms=1_000, open_max_ms=5_000), NOW
    state, _ = failures(policy.minimum_calls, policy, State(), now)
    waits = [state.until - now]
    for _ in range(4):
        now = state.until
        state, reply = step(state, Admit(), now, policy, 0.0)
        assert reply.verdict is Verdict.PROBE
        state, _ = failures(1, policy, state, now)
        waits.append(state.until - now)
    assert waits == [1_000, 2_000, 4_000, 5_000, 5_000]


@pytest.mark.parametrize(("healthy_ms", "second_wait"), [(1_000, 2_000), (60_000, 1_000)])
def test_growth_is_forgotten_after_a_window_of_health(healthy_ms: int, second_wait: int):
    """A breaker that opens again at once goes on growing; one that was closed for a whole window starts anew."""
    policy = Policy(open_ms=1_000, window_ms=60_000)
    state, _ = failures(policy.minimum_calls, policy, State(), NOW)
    state, _ = step(state, Admit(), state.until, policy, 0.0)
    state, _ = step(state, Record(state.epoch, Outcome.SUCCESS), state.since, policy, 0.0)
    assert (state.phase, state.reason) == (Phase.CLOSED, Reason.RECOVERED)
    now = state.since + healthy_ms
    state, _ = failures(policy.minimum_calls, policy, state, now)
    assert state.until - now == second_wait


def test_retry_after_opens_it_at_the_first_failure_until_that_time():
    """One answer with Retry-After is enough to stop, exactly until the time it names (plus jitter)."""
    state, reply = step(State(), Record(0, Outcome.FAILURE, 120_000, "HTTP 418"), NOW, Policy(), 0.0)
    assert (state.phase, state.reason, reply.wait_ms) == (Phase.OPEN, Reason.RETRY_AFTER, 120_000)


def test_an_abandoned_probe_lets_the_next_one_go_at_once():
    """A probe that was cancelled says nothing: the breaker stays open, and the next call probes without a wait."""
    policy = Policy()
    state, _ = failures(5, policy, State(), NOW)
    now = state.until
    state, _ = step(state, Admit(), now, policy, 0.0)
    state, _ = step(state, Record(state.epoch, Outcome.IGNORED), now, policy, 0.0)
    assert (state.phase, state.trips) == (Phase.OPEN, 1)
    _, reply = step(state, Admit(), now, policy, 0.0)
    assert reply.verdict is Verdict.PROBE


@given(moves=MOVES, policy=POLICIES, back=st.integers(1, 10**9))
def test_a_clock_set_back_never_lengthens_a_wait(moves: list[Move], policy: Policy, back: int):
    """However far the clock is set back, the wait is no longer than the phase was meant to last."""
    state, now = reached(moves, policy)
    _, reply = step(state, Admit(), now - back, policy, 0.5)
    meant = state.until - state.since if state.until else policy.open_ms
    assert reply.wait_ms <= max(meant, policy.probe_ms)


def test_reset_forgets_and_close_keeps_the_growth():
    """Closing by hand keeps the last error and the growth of the open time; a reset forgets both."""
    state, _ = failures(5, Policy(), State(), NOW)
    closed, _ = step(state, Close(), NOW, Policy(), 0.0)
    assert (closed.phase, closed.trips, closed.error, closed.window) == (Phase.CLOSED, 1, "broken", ())
    reset, _ = step(state, Reset(), NOW, Policy(), 0.0)
    assert (reset.phase, reset.trips, reset.error, reset.window) == (Phase.CLOSED, 0, "", ())
    assert reset.epoch > state.epoch


@given(minimum=st.integers(1, 150), ratio=st.floats(0.01, 1))
def test_the_window_is_small_enough_for_the_ratio(minimum: int, ratio: float):
    """`minimum_calls` failures are at least the ratio of a full window, whatever the two settings are."""
    policy = Policy(minimum_calls=minimum, failure_ratio=ratio)
    assert policy.window_calls >= minimum
    assert minimum / policy.window_calls >= ratio
