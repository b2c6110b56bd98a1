"""Quantiles of durations in logarithmic buckets."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.monitor.sketch import LAST_BUCKET, RELATIVE_ERROR, bucket_of, quantile

durations = st.lists(st.floats(min_value=0.0011, max_value=10_000), min_size=1, max_size=200)


@given(durations=durations, q=st.floats(min_value=0, max_value=1))
def test_quantile_differs_from_the_true_one_by_at_most_the_documented_error(durations: list[float], q: float) -> None:
    """A quantile differs from the true one by at most RELATIVE_ERROR of it."""
    true = sorted(durations)[max(1, math.ceil(q * len(durations))) - 1]
    estimate = quantile(Counter(map(bucket_of, durations)), q)
    assert estimate is not None
    assert abs(estimate - true) <= RELATIVE_ERROR * true * (1 + 1e-9)


@given(one=durations, other=durations)
def test_buckets_of_two_workers_merge_by_addition(one: list[float], other: list[float]) -> None:
    """Adding the buckets of two workers yields the buckets of all their attempts."""
    both = Counter(map(bucket_of, one)) + Counter(map(bucket_of, other))
    assert both == Counter(map(bucket_of, one + other))


@given(seconds=st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_bucket_of_any_duration_is_within_the_fixed_range(seconds: float) -> None:
    """No duration, however short or long, needs a bucket outside of 0 to LAST_BUCKET."""
    assert 0 <= bucket_of(seconds) <= LAST_BUCKET < 200


def test_quantile_without_attempts_is_none() -> None:
    """Without attempts the quantile is None, not 0."""
    assert quantile({}, 0.5) is None
