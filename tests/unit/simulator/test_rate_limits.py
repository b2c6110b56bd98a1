"""Tests of the upstreams' rate limits."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.rate_limits import FixedWindow, MinimumInterval, RateLimits


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), max_size=60))
def test_fixed_window_never_grants_more_than_allowed(requests: list[tuple[float, int]]):
    """The weight granted in one window is within the limit for every sequence of requests."""
    window, now, granted = FixedWindow(100, 60), 1.8e9, {}
    for pause, weight in requests:
        now += pause
        if window.take(now, weight) is None:
            granted[now // 60] = granted.get(now // 60, 0) + weight
    assert all(total <= 100 for total in granted.values())


def test_fixed_window_after_the_returned_wait_grants_again():
    """The returned wait ends with the window, and the next window grants again."""
    window = FixedWindow(1, 60)
    assert window.take(120.0) is None
    wait = window.take(130.0)
    assert wait == 50
    assert window.take(130.0 + wait) is None


@given(st.lists(st.floats(0, 12), max_size=60))
def test_minimum_interval_keeps_granted_requests_apart(pauses: list[float]):
    """Two granted requests are never closer than the interval."""
    interval, now, granted = MinimumInterval(5), 1.8e9, []
    for pause in pauses:
        now += pause
        if interval.take(now) is None:
            granted.append(now)
    assert all(after - before >= 5 for before, after in pairwise(granted))


def test_reset_rate_limits_are_unused():
    """After a reset, no rate limit is used."""
    limits = RateLimits()
    assert limits.minimum_interval("gdelt", 5).take(100.0) is None
    limits.window("binance", 6_000, 60).take(100.0, 7_000)
    limits.reset()
    assert limits.minimum_interval("gdelt", 5).take(100.0) is None
    assert limits.window("binance", 6_000, 60).used == 0


def test_rate_limits_are_shared_by_all_requests_to_an_upstream():
    """An upstream's limit is always the same object, and two limits of one upstream are separate."""
    limits = RateLimits()
    limits.window("finnhub", 60, 60).take(100.0)
    assert limits.window("finnhub", 60, 60).used == 1
    assert limits.window("finnhub", 30, 1).used == 0
