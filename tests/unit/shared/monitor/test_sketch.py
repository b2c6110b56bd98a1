"""Quantiles out of logarithmic buckets."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.monitor.sketch import LAST_BUCKET, RELATIVE_ERROR, bucket_of, quantile

runtimes = st.lists(st.floats(min_value=0.0011, max_value=10_000), min_size=1, max_size=200)


@given(runtimes=runtimes, q=st.floats(min_value=0, max_value=1))
def test_a_quantile_is_within_the_documented_error(runtimes: list[float], q: float) -> None:
    """Law: a quantile differs from the true one by at most RELATIVE_ERROR of it."""
    true = sorted(runtimes)[max(1, math.ceil(q * len(runtimes))) - 1]
    estimate = quantile(Counter(map(bucket_of, runtimes)), q)
    assert estimate is not None
    assert abs(estimate - true) <= RELATIVE_ERROR * true * (1 + 1e-9)


@given(one=runtimes, other=runtimes)
def test_buckets_of_two_workers_add_up(one: list[float], other: list[float]) -> None:
    """Law: adding the buckets of two workers gives the buckets of all their runs."""
    both = Counter(map(bucket_of, one)) + Counter(map(bucket_of, other))
    assert both == Counter(map(bucket_of, one + other))


@given(seconds=st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_memory_is_bounded(seconds: float) -> None:
    """Law: no runtime, however short or long, needs a bucket outside 0 … LAST_BUCKET."""
    assert 0 <= bucket_of(seconds) <= LAST_BUCKET < 200


def test_without_runs_there_is_no_quantile() -> None:
    """No runs: None, not 0."""
    assert quantile({}, 0.5) is None
