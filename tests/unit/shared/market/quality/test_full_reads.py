"""Tests of full reads: when the whole history of an asset is read again (D6)."""

import pytest

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS
from financehub_shared.market.quality.full_reads import FullRead, next_full_read

NOW = 1_738_368_000.0


def test_full_reads_of_many_assets_are_spread_over_days():
    """D6: the next full reads of assets that were added in one run are in different runs, and within a week."""
    waits = [next_full_read(f"A{i}", NOW, is_settled=True).due - NOW for i in range(1_000)]
    assert min(waits) >= 5 * DAY_SECONDS
    assert max(waits) <= 7 * DAY_SECONDS
    by_hour = [sum(hour <= wait / HOUR_SECONDS < hour + 1 for wait in waits) for hour in range(5 * 24, 7 * 24)]
    assert max(by_hour) < 60


def test_history_with_errors_is_read_again_on_the_next_day():
    """D6: the upstream may have repaired the errors."""
    assert next_full_read("AAPL", NOW, is_settled=False).due - NOW == 20 * HOUR_SECONDS


@pytest.mark.parametrize(
    ("due", "is_due"),
    [(-1, True), (0, True), (60, False), (7 * DAY_SECONDS, False), (8 * DAY_SECONDS, True), (1e12, True)],
)
def test_full_read_that_a_wrong_clock_put_off_is_due(due: float, is_due: bool):
    """D6: a due time beyond the longest interval is ignored, and the history is read at once."""
    assert FullRead(NOW, NOW + due).is_due(NOW) is is_due


@pytest.mark.parametrize(
    ("since", "allows"), [(0, False), (5 * HOUR_SECONDS, False), (6 * HOUR_SECONDS, True), (-60, True)]
)
def test_doubt_leads_to_a_full_read_at_most_every_six_hours(since: float, allows: bool):
    """D6: an upstream whose scale changes every hour does not cost a full read every hour."""
    assert FullRead(NOW - since, NOW).allows_another(NOW) is allows
