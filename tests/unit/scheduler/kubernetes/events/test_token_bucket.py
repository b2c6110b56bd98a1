"""TokenBucket: how many tokens it grants."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.events.token_bucket import TokenBucket


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 10), st.floats(0.1, 50))
def test_token_bucket_gives_at_most_its_size_and_the_refill(waits: list[float], size: int, seconds: float) -> None:
    """In any period, at most the bucket's size plus that period's refill is taken."""
    now, bucket, taken = 0.0, TokenBucket(size, seconds, 0.0), []
    for wait in waits:
        now += wait
        if bucket.take(now):
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= size + (taken[last] - taken[first]) / seconds + 1e-6
