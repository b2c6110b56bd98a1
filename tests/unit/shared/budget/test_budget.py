"""One process's budget without Redis, with a manual clock."""

import pytest

from financehub_shared.budget import Budget
from financehub_shared.budget.budget import MAX_WAIT_SECONDS
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import QuotaExceededError
from financehub_shared.core.provider_specs import PROVIDERS


async def test_budget_with_a_used_up_window_raises_the_wait():
    """The call after the last unit raises an error with the seconds until a unit is free, and spends nothing."""
    clock = ManualClock()
    budget = Budget("coingecko", [(60, 3)], None, clock)
    for _ in range(3):
        await budget.spend()
    with pytest.raises(QuotaExceededError, match="3 per 60 s is used up") as caught:
        await budget.spend()
    assert 57 <= (caught.value.retry_after or 0) <= 63
    clock.advance(caught.value.retry_after or 0)
    await budget.spend(3)


async def test_budget_with_two_windows_raises_the_longest_wait():
    """An exhausted month stops calls although the minute has units left, and the minute is not charged for them."""
    clock = ManualClock()
    budget = Budget("coingecko", [(60, 10), (2_592_000, 12)], None, clock)
    await budget.spend(10)
    clock.advance(70)
    await budget.spend(2)
    for _ in range(20):
        with pytest.raises(QuotaExceededError, match="12 per 2592000 s"):
            await budget.spend()
    clock.advance(2_592_000 + 2_592_000 / 20)
    await budget.spend(10)


async def test_budget_with_a_short_window_waits():
    """A limit per second delays a call instead of refusing it."""
    clock = ManualClock()
    budget = Budget("finnhub", [(1, 30)], None, clock)
    started = clock.monotonic()
    for _ in range(61):
        await budget.spend()
    assert clock.monotonic() - started == pytest.approx(2, abs=0.2)


async def test_budget_with_a_weight_over_the_limit_raises():
    """A call whose weight exceeds the limit is a bug in the caller and raises immediately."""
    with pytest.raises(ValueError, match="weight 31"):
        await Budget("coingecko", PROVIDERS["coingecko"].limits, None, ManualClock()).spend(31)


@pytest.mark.parametrize("upstream", sorted(PROVIDERS))
async def test_budget_of_each_upstream_allows_its_limit(upstream: str):
    """As many calls as the smallest long window allows succeed, and the next one fails."""
    clock = ManualClock()
    budget = Budget(upstream, PROVIDERS[upstream].limits, None, clock)
    smallest = min(limit.units for limit in PROVIDERS[upstream].limits if limit.window_seconds > MAX_WAIT_SECONDS)
    for _ in range(smallest):
        await budget.spend()
    with pytest.raises(QuotaExceededError):
        await budget.spend()
