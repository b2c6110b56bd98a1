"""The state of a dependency that may be unavailable."""

import structlog
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.outage import Outage


def outage(clock: ManualClock, longest: float | None = None) -> Outage:
    return Outage(
        "redis",
        clock.monotonic,
        structlog.get_logger(),
        pause_seconds=1.0,
        longest_pause_seconds=longest,
        consequence="tasks continue",
    )


def test_outage_that_ends_is_logged_once_at_each_end():
    """Repeated failures and repeated successes are each logged once, with the error and the details."""
    clock = ManualClock()
    redis = outage(clock)
    with capture_logs() as logs:
        redis.succeeded()
        for _ in range(3):
            redis.failed(ConnectionError("gone"))
            clock.advance(1)
        redis.succeeded(lost=2)
        redis.succeeded()
    assert logs == [
        {
            "event": "redis_unavailable",
            "log_level": "warning",
            "error": "ConnectionError: gone",
            "retry_in": 1.0,
            "consequence": "tasks continue",
        },
        {"event": "redis_available_again", "log_level": "info", "lost": 2},
    ]


def test_outage_during_pause_turns_every_caller_away():
    """No caller may use the dependency until the pause has passed."""
    clock = ManualClock()
    redis = outage(clock)
    assert redis.may_try()
    assert redis.failed("gone") == redis.retry_at == clock.monotonic() + 1
    clock.advance(0.4)
    assert redis.active
    assert not redis.may_try()
    assert round(redis.remaining_seconds(), 6) == 0.6


def test_outage_after_pause_admits_one_probe():
    """After the pause the first caller may try, and the others wait for its result."""
    clock = ManualClock()
    redis = outage(clock)
    redis.failed("gone")
    clock.advance(1)
    assert [redis.may_try(), redis.may_try()] == [True, False]
    redis.succeeded()
    assert [redis.may_try(), redis.may_try()] == [True, True]


def test_outage_with_silent_probe_admits_next_one_after_pause():
    """A probe that never reports its result blocks the others for one pause only."""
    clock = ManualClock()
    redis = outage(clock)
    redis.failed("gone")
    clock.advance(1)
    assert redis.may_try()
    clock.advance(1)
    assert redis.may_try()


def test_outage_pause_doubles_up_to_limit():
    """Each additional failure doubles the pause up to the limit, and a success resets it to the initial value."""
    clock = ManualClock()
    redis = outage(clock, longest=5.0)
    pauses = []
    for _ in range(5):
        pauses.append(redis.failed("gone") - clock.monotonic())
        clock.advance(pauses[-1])
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]
    redis.succeeded()
    assert redis.failed("gone") - clock.monotonic() == 1.0


def test_outage_with_simultaneous_failures_counts_one():
    """Concurrent calls that fail together do not lengthen the pause."""
    clock = ManualClock()
    redis = outage(clock, longest=30.0)
    first = redis.failed("gone")
    assert redis.failed("gone") == first
