"""Properties of the sliding window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.budget.sliding_window import SLICES, share_of, slice_ms, spend, used, wait
from financehub_shared.core.provider_specs import Limit

NOW = 1_800_000_000_000
LIMITS = st.builds(Limit, st.sampled_from([0.5, 1.0, 5.0, 60.0, 3_600.0, 2_592_000.0]), st.integers(1, 50))
CALLS = st.lists(st.tuples(st.floats(0, 1.5), st.integers(1, 50)), max_size=60)


def spent_over(calls: list[tuple[float, int]], limit: Limit) -> list[tuple[int, int]]:
    """Return (time, weight) of each call that was within the limit. The pause before each is a share of a window."""
    now, spent, taken = NOW, {}, []
    for pause, weight in calls:
        now += int(pause * pause * limit.window_seconds * 1000)
        weight = min(weight, limit.units)  # noqa: PLW2901 — heavier calls are refused earlier
        if wait(spent, now, limit, weight) == 0:
            spent = spend(spent, now, limit, weight)
            taken.append((now, weight))
    return taken


@given(limit=LIMITS, calls=CALLS)
def test_window_beginning_anywhere_holds_at_most_the_limit(limit: Limit, calls: list[tuple[float, int]]):
    """No matter when the upstream's own window begins, it never contains more than the limit."""
    taken = spent_over(calls, limit)
    for start, _ in taken:
        inside = sum(weight for at, weight in taken if start <= at < start + limit.window_seconds * 1000)
        assert inside <= limit.units


@given(limit=LIMITS, calls=CALLS, weight=st.integers(1, 50))
def test_wait_is_exact(limit: Limit, calls: list[tuple[float, int]], weight: int):
    """A call fits after the returned wait but not a millisecond earlier, and the wait is at most 1/20 too long."""
    weight = min(weight, limit.units)
    now, spent = NOW, {}
    for at, units in spent_over(calls, limit):
        now, spent = at, spend(spent, at, limit, units)
    announced = wait(spent, now, limit, weight)
    assert 0 <= announced <= slice_ms(limit) * (SLICES + 1)
    assert wait(spent, now + announced, limit, weight) == 0
    if announced:
        assert wait(spent, now + announced - 1, limit, weight) > 0


def test_spend_forgets_slices_outside_the_window():
    """At most SLICES + 1 counters are kept, no matter how long the window is used."""
    limit, spent = Limit(60.0, 1_000_000), {}
    for minute in range(200):
        spent = spend(spent, NOW + minute * 1_700, limit, 1)
    assert len(spent) <= SLICES + 1
    assert used(spent, NOW + 10_000_000, limit) == 0


def test_wait_with_a_weight_over_the_limit_raises():
    """A weight over the limit raises an error instead of an endless wait."""
    with pytest.raises(ValueError, match="never fit"):
        wait({}, NOW, Limit(60.0, 5), 6)


@pytest.mark.parametrize(
    ("limit", "share"),
    [
        (Limit(60.0, 6_000), Limit(60.0, 750)),
        (Limit(60.0, 30), Limit(60.0, 3)),
        (Limit(5.0, 1), Limit(40.0, 1)),
        (Limit(60.0, 4), Limit(120.0, 1)),
    ],
)
def test_share_below_one_unit_lengthens_the_window(limit: Limit, share: Limit):
    """Eight processes with an eighth each stay within the limit, even if it is a single unit."""
    assert share_of(limit, 1 / 8) == share
