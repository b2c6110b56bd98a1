"""Properties of the breaker's transitions for any sequence of events."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.breaker.model import (
    Admit,
    BreakerEvent,
    BreakerReason,
    BreakerRecord,
    BreakerState,
    CallOutcome,
    Close,
    Decision,
    ForceOpen,
    RecordOutcome,
    Reset,
)
from financehub_shared.breaker.policy import BreakerPolicy
from financehub_shared.breaker.transitions import step

NOW = 1_800_000_000_000
POLICIES = st.builds(
    BreakerPolicy,
    window_ms=st.integers(1_000, 600_000),
    minimum_calls=st.integers(1, 20),
    failure_ratio=st.floats(0.05, 1),
    open_ms=st.integers(100, 30_000),
    open_max_ms=st.integers(30_000, 600_000),
    probe_ms=st.integers(100, 30_000),
)
JITTER = st.floats(0, 1, exclude_max=True)


@dataclass(frozen=True)
class Move:
    """An event `later` ms after the previous one. If it is not `current`, its epoch is older than the record's."""

    kind: str
    later: int
    jitter: float
    retry_after: int = 0
    current: bool = True

    def event(self, record: BreakerRecord) -> BreakerEvent:
        epoch = record.epoch if self.current else record.epoch - 1
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
                return RecordOutcome(epoch, CallOutcome(outcome), self.retry_after, "broken")


CALLS = ["admit", "flush", "success", "failure", "ignored"]
MOVES = st.lists(
    st.builds(
        Move,
        kind=st.sampled_from([*CALLS, "failure", "failure", "admit", "force", "close", "reset"]),
        later=st.integers(0, 60_000),
        jitter=JITTER,
        retry_after=st.sampled_from([0, 0, 0, 1, 5_000, 86_400_000]),
        current=st.booleans(),
    ),
    max_size=40,
)


def reached(moves: list[Move], policy: BreakerPolicy) -> tuple[BreakerRecord, int]:
    """Return the record of a new breaker after some moves, and the time of the last move."""
    record, now = BreakerRecord(), NOW
    for move in moves:
        now += move.later
        record, _ = step(record, move.event(record), now, policy, move.jitter)
    return record, now


def failures(
    count: int, policy: BreakerPolicy, record: BreakerRecord, now: int, every: int = 0
) -> tuple[BreakerRecord, int]:
    """Return the record after `count` failures that are `every` ms apart, and the time after them."""
    for _ in range(count):
        record, _ = step(record, RecordOutcome(record.epoch, CallOutcome.FAILURE, 0, "broken"), now, policy, 0.0)
        now += every
    return record, now


@given(policy=POLICIES, healthy=st.integers(0, 300))
def test_step_with_minimum_calls_failures_opens_whatever_preceded_them(policy: BreakerPolicy, healthy: int):
    """`minimum_calls` consecutive failures open the breaker, regardless of how many calls succeeded before."""
    record = BreakerRecord()
    for _ in range(healthy):
        record, _ = step(record, RecordOutcome(record.epoch, CallOutcome.SUCCESS), NOW, policy, 0.0)
    record, _ = failures(policy.minimum_calls, policy, record, NOW)
    assert record.state is BreakerState.OPEN


@given(policy=POLICIES)
def test_step_with_fewer_failures_than_minimum_calls_stays_closed(policy: BreakerPolicy):
    """The failure ratio of fewer calls than the minimum does not open the breaker."""
    record, _ = failures(policy.minimum_calls - 1, policy, BreakerRecord(), NOW)
    assert record.state is BreakerState.CLOSED


@given(policy=POLICIES)
def test_step_with_failures_older_than_the_window_stays_closed(policy: BreakerPolicy):
    """Failures that are spread over more than one window never open the breaker."""
    policy = replace(policy, minimum_calls=max(policy.minimum_calls, 2))
    record, _ = failures(3 * policy.minimum_calls, policy, BreakerRecord(), NOW, every=policy.window_ms)
    assert record.state is BreakerState.CLOSED


def test_step_with_failures_below_the_ratio_stays_closed():
    """Four failures in nine calls are below a ratio of one half, and the fifth in ten calls reaches it."""
    policy, record = BreakerPolicy(minimum_calls=5, failure_ratio=0.5), BreakerRecord()
    for failed in (False, False, True, False, True, False, False, True, True):
        outcome = CallOutcome.FAILURE if failed else CallOutcome.SUCCESS
        record, _ = step(record, RecordOutcome(record.epoch, outcome), NOW, policy, 0.0)
    assert (record.state, len(record.window)) == (BreakerState.CLOSED, 9)
    record, _ = failures(1, policy, record, NOW)
    assert (record.state, record.reason) == (BreakerState.OPEN, BreakerReason.FAILURES)


@given(moves=MOVES, policy=POLICIES, outcome=st.sampled_from(CallOutcome), behind=st.integers(1, 10**13))
def test_step_with_an_outcome_of_an_old_epoch_is_stale(
    moves: list[Move], policy: BreakerPolicy, outcome: CallOutcome, behind: int
):
    """An outcome with the epoch of an earlier state or probe does not change the record."""
    record, now = reached(moves, policy)
    after, reply = step(record, RecordOutcome(record.epoch - behind, outcome, 60_000, "late"), now, policy, 0.5)
    assert after == record
    assert reply.decision is Decision.STALE


@given(moves=MOVES, policy=POLICIES)
def test_step_with_a_new_state_or_a_probe_increases_the_epoch(moves: list[Move], policy: BreakerPolicy):
    """The epoch never falls, and it grows whenever the state changes or a probe is admitted."""
    record, now = BreakerRecord(), NOW
    for move in moves:
        now += move.later
        after, reply = step(record, move.event(record), now, policy, move.jitter)
        assert after.epoch >= record.epoch
        if after.state is not record.state or reply.decision is Decision.PROBE:
            assert after.epoch > record.epoch
        record = after


@given(moves=MOVES, policy=POLICIES)
def test_step_after_the_announced_wait_admits_a_call(moves: list[Move], policy: BreakerPolicy):
    """In any state that was not forced, a call is admitted after the announced wait, even if processes died."""
    record, now = reached(moves, policy)
    _, reply = step(record, Admit(), now, policy, 0.5)
    if record.forced:
        assert reply.decision is Decision.REJECTED
        record, reply = step(record, Close(), now, policy, 0.5)
    _, later = step(record, Admit(), now + reply.wait_ms, policy, 0.5)
    assert later.decision in {Decision.ADMITTED, Decision.PROBE}


@given(moves=MOVES, policy=POLICIES, waits=st.lists(st.integers(0, 40_000), max_size=20))
def test_step_while_a_probe_has_its_lease_rejects_others(moves: list[Move], policy: BreakerPolicy, waits: list[int]):
    """While a probe has its lease no other call is admitted, and after it exactly one is."""
    record, now = reached(moves, policy)
    record, _ = step(record, Close(), now, policy, 0.5)
    record, now = failures(policy.minimum_calls, policy, record, now)
    now = record.until
    record, reply = step(record, Admit(), now, policy, 0.5)
    assert reply.decision is Decision.PROBE
    lease_ends = now + policy.probe_ms
    for wait in waits:
        now += wait
        record, reply = step(record, Admit(), now, policy, 0.5)
        assert (reply.decision is Decision.PROBE) == (now >= lease_ends)
        if reply.decision is Decision.PROBE:
            lease_ends = now + policy.probe_ms


@given(moves=MOVES, policy=POLICIES, jitter=JITTER, retry_after=st.sampled_from([0, 1, 20_000, 259_200_000]))
def test_open_time_is_within_its_bounds(moves: list[Move], policy: BreakerPolicy, jitter: float, retry_after: int):
    """Without Retry-After the wait is between 0.8 of the open time and the limit. With it, the wait is never shorter
    than Retry-After.
    """
    record, now = reached(moves, policy)
    record, _ = step(record, Close(), now, policy, 0.0)
    for _ in range(policy.minimum_calls):
        record, reply = step(record, RecordOutcome(record.epoch, CallOutcome.FAILURE, retry_after), now, policy, jitter)
        if record.state is BreakerState.OPEN:
            break
    floor = min(policy.open_ms, policy.open_max_ms) * 0.8 - 1
    assert reply.wait_ms >= (retry_after or floor)
    assert reply.wait_ms <= max(policy.open_max_ms, retry_after + 0.2 * policy.open_ms)


def test_open_time_after_each_failed_probe_doubles_to_its_limit():
    """Each failed probe doubles the open time, up to the limit."""
    policy, now = BreakerPolicy(open_ms=1_000, open_max_ms=5_000), NOW
    record, _ = failures(policy.minimum_calls, policy, BreakerRecord(), now)
    waits = [record.until - now]
    for _ in range(4):
        now = record.until
        record, reply = step(record, Admit(), now, policy, 0.0)
        assert reply.decision is Decision.PROBE
        record, _ = failures(1, policy, record, now)
        waits.append(record.until - now)
    assert waits == [1_000, 2_000, 4_000, 5_000, 5_000]


@pytest.mark.parametrize(("healthy_ms", "second_wait"), [(1_000, 2_000), (60_000, 1_000)])
def test_open_time_after_a_healthy_window_starts_again(healthy_ms: int, second_wait: int):
    """If a breaker opens again soon, its open time keeps growing. After a full closed window it restarts at the initial
    value.
    """
    policy = BreakerPolicy(open_ms=1_000, window_ms=60_000)
    record, _ = failures(policy.minimum_calls, policy, BreakerRecord(), NOW)
    record, _ = step(record, Admit(), record.until, policy, 0.0)
    record, _ = step(record, RecordOutcome(record.epoch, CallOutcome.SUCCESS), record.since, policy, 0.0)
    assert (record.state, record.reason) == (BreakerState.CLOSED, BreakerReason.RECOVERED)
    now = record.since + healthy_ms
    record, _ = failures(policy.minimum_calls, policy, record, now)
    assert record.until - now == second_wait


def test_step_with_retry_after_opens_at_the_first_failure():
    """One failure with Retry-After opens the breaker for exactly that time (plus jitter)."""
    record, reply = step(
        BreakerRecord(), RecordOutcome(0, CallOutcome.FAILURE, 120_000, "HTTP 418"), NOW, BreakerPolicy(), 0.0
    )
    assert (record.state, record.reason, reply.wait_ms) == (BreakerState.OPEN, BreakerReason.RETRY_AFTER, 120_000)


def test_step_after_an_abandoned_probe_admits_another_without_a_wait():
    """A canceled probe is inconclusive, so the breaker stays open and the next call is a probe without a wait."""
    policy = BreakerPolicy()
    record, _ = failures(5, policy, BreakerRecord(), NOW)
    now = record.until
    record, _ = step(record, Admit(), now, policy, 0.0)
    record, _ = step(record, RecordOutcome(record.epoch, CallOutcome.IGNORED), now, policy, 0.0)
    assert (record.state, record.trips) == (BreakerState.OPEN, 1)
    _, reply = step(record, Admit(), now, policy, 0.0)
    assert reply.decision is Decision.PROBE


@given(moves=MOVES, policy=POLICIES, back=st.integers(1, 10**9))
def test_step_with_a_clock_set_back_does_not_lengthen_the_wait(moves: list[Move], policy: BreakerPolicy, back: int):
    """However far the clock is set back, the wait is not longer than the intended duration of the state."""
    record, now = reached(moves, policy)
    _, reply = step(record, Admit(), now - back, policy, 0.5)
    meant = record.until - record.since if record.until else policy.open_ms
    assert reply.wait_ms <= max(meant, policy.probe_ms)


def test_close_keeps_and_reset_forgets_the_growth_of_the_open_time():
    """Closing manually keeps the last error and the growth of the open time, and a reset discards both."""
    record, _ = failures(5, BreakerPolicy(), BreakerRecord(), NOW)
    closed, _ = step(record, Close(), NOW, BreakerPolicy(), 0.0)
    assert (closed.state, closed.trips, closed.error, closed.window) == (BreakerState.CLOSED, 1, "broken", ())
    reset, _ = step(record, Reset(), NOW, BreakerPolicy(), 0.0)
    assert (reset.state, reset.trips, reset.error, reset.window) == (BreakerState.CLOSED, 0, "", ())
    assert reset.epoch > record.epoch


@given(minimum=st.integers(1, 150), ratio=st.floats(0.01, 1))
def test_window_calls_with_any_policy_allow_the_ratio(minimum: int, ratio: float):
    """`minimum_calls` failures are at least the ratio of a full window, for any values of the two settings."""
    policy = BreakerPolicy(minimum_calls=minimum, failure_ratio=ratio)
    assert policy.window_calls >= minimum
    assert minimum / policy.window_calls >= ratio
