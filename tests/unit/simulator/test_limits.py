"""The upstreams' rate limits as windows and spacings."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.limits import Limits, Spacing, Window


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), max_size=60))
def test_window_never_grants_more_than_allowed(requests: list[tuple[float, int]]):
    """Whatever is asked when, the weight granted in one window stays within the limit."""
    window, now, granted = Window(100, 60), 1.8e9, {}
    for pause, weight in requests:
        now += pause
        if window.take(now, weight) is None:
            granted[now // 60] = granted.get(now // 60, 0) + weight
    assert all(total <= 100 for total in granted.values())


def test_window_says_when_it_begins_anew():
    """The wait it asks for is to the end of the window, and then there is room again."""
    window = Window(1, 60)
    assert window.take(120.0) is None
    wait = window.take(130.0)
    assert wait == 50
    assert window.take(130.0 + wait) is None


@given(st.lists(st.floats(0, 12), max_size=60))
def test_spacing_keeps_requests_apart(pauses: list[float]):
    """Two granted requests are never closer than the spacing."""
    spacing, now, granted = Spacing(5), 1.8e9, []
    for pause in pauses:
        now += pause
        if spacing.take(now) is None:
            granted.append(now)
    assert all(after - before >= 5 for before, after in pairwise(granted))


def test_clear_gives_everything_back():
    """After a reset every limit is unused."""
    limits = Limits()
    assert limits.gdelt.take(100.0) is None
    limits.binance.take(100.0, 7_000)
    limits.clear()
    assert limits.gdelt.take(100.0) is None
    assert limits.binance.used == 0
