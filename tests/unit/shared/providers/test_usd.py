"""The USDT rate in USD: how long it is used, and failures of its sources."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import ProviderError, UpstreamError
from financehub_shared.providers.usd import CARRY_DAYS, FRESH_SECONDS, USABLE_SECONDS, DailyRates, UsdtRates


class Source:
    """A source of rates that can be switched off."""

    def __init__(self, name: str, rate: str = "1.0") -> None:
        self.name = name
        self.rate = rate
        self.days: Mapping[int, float] = {}
        self.down = False
        self.requests = 0

    async def _answer(self) -> None:
        self.requests += 1
        await asyncio.sleep(0)
        if self.down:
            raise UpstreamError(self.name, "HTTP 500")

    async def usdt_rate(self, deadline: float) -> Decimal:
        await self._answer()
        return Decimal(self.rate)

    async def usdt_daily(self, deadline: float) -> Mapping[int, float]:
        await self._answer()
        return self.days


async def test_spot_rate_is_fetched_once_in_ten_minutes():
    """Within `FRESH_SECONDS`, concurrent and later calls fetch nothing. After that, the new rate is used."""
    source, clock = Source("a"), ManualClock()
    rates = UsdtRates([source], None, clock)
    await asyncio.gather(*(rates.spot(1) for _ in range(20)))
    clock.advance(FRESH_SECONDS - 1)
    await rates.spot(1)
    assert source.requests == 1
    source.rate = "0.98"
    clock.advance(1)
    assert (await rates.spot(1)).value == Decimal("0.98")


@pytest.mark.parametrize("broken", ["down", "implausible"])
async def test_spot_rate_with_a_failed_source_comes_from_the_second(broken: str):
    """After an error, or a rate far from the peg, the next source is called."""
    first, second = Source("first"), Source("second", "0.99")
    first.down, first.rate = broken == "down", "0.5"
    assert (await UsdtRates([first, second], None, ManualClock()).spot(1)).source == "second"


@pytest.mark.parametrize("rate", ["NaN", "-Infinity", "0", "-1", "1e30"])
async def test_damaged_spot_rate_costs_only_its_source(rate: str):
    """A value that cannot be a rate is a failure of its source, and the next source is called (D9, I13)."""
    rates = UsdtRates([Source("first", rate), Source("second", "0.99")], None, ManualClock())
    assert (await rates.spot(1)).source == "second"


@pytest.mark.parametrize(
    ("first", "second", "used"),
    [("0.93", "0.935", "0.93"), ("0.93", "1.0", "1.0"), ("0.98", "0.93", "0.98"), ("0.93", "0.85", None)],
)
async def test_spot_rate_far_from_the_peg_needs_a_second_source(first: str, second: str, used: str | None):
    """One source alone cannot change all prices in USDT by more than 2 % (I14)."""
    rates = UsdtRates([Source("first", first), Source("second", second)], None, ManualClock())
    if used is None:
        with pytest.raises(UpstreamError, match=r"first: 0\.93 USD per USDT, which no other source confirms"):
            await rates.spot(1)
    else:
        assert (await rates.spot(1)).value == Decimal(used)


async def test_spot_rate_from_before_a_broken_peg_is_not_used():
    """If the only available source says that the peg is broken, the rate from ten minutes ago would be wrong."""
    source, clock = Source("a"), ManualClock()
    rates = UsdtRates([source], None, clock)
    await rates.spot(1)
    source.rate = "0.9"
    clock.advance(FRESH_SECONDS)
    with pytest.raises(UpstreamError):
        await rates.spot(1)


async def test_spot_rate_without_sources_is_used_for_a_day():
    """While the sources fail, a known rate is used for `USABLE_SECONDS`. Then the error has the reasons."""
    source, clock = Source("a"), ManualClock()
    rates = UsdtRates([source], None, clock)
    known = await rates.spot(1)
    source.down = True
    clock.advance(USABLE_SECONDS - 1)
    assert await rates.spot(1) == known
    clock.advance(2)
    with pytest.raises(UpstreamError, match="HTTP 500"):
        await rates.spot(1)


async def test_spot_rate_from_the_future_is_fetched_again():
    """If the clock was set back, a rate with a timestamp in the future is fetched again."""
    source, clock = Source("a"), ManualClock()
    rates = UsdtRates([source], None, clock)
    await rates.spot(1)
    clock.set_wall(clock.now() - 86_400)
    await rates.spot(1)
    assert source.requests == 2


async def test_daily_rates_for_concurrent_callers_take_one_request():
    """A thousand concurrent callers cause one request, and another day causes one more."""
    source = Source("a")
    source.days = {100: 1.0}
    rates = UsdtRates([], source, ManualClock())
    await asyncio.gather(*(rates.daily(100, 1) for _ in range(1_000)))
    assert source.requests == 1
    source.days = {100: 1.0, 101: 0.99}
    assert (await rates.daily(101, 1)).at(101) == 0.99
    assert source.requests == 2


async def test_daily_rates_in_a_short_outage_carry_over():
    """The last known day carries over. If no day is known, the error is raised."""
    source = Source("a")
    rates = UsdtRates([], source, ManualClock())
    source.down = True
    with pytest.raises(ProviderError):
        await rates.daily(100, 1)
    source.down, source.days = False, {100: 0.99}
    await rates.daily(100, 1)
    source.down = True
    assert (await rates.daily(101, 1)).at(101) == 0.99
    with pytest.raises(ProviderError):
        await rates.daily(101 + CARRY_DAYS, 1)


@given(st.dictionaries(st.integers(0, 60), st.floats(0.5, 1.5)), st.integers(0, 70))
def test_daily_rate_is_of_the_day_or_of_the_week_before(closes: dict[int, float], day: int):
    """A rate must be plausible, known, and from that day or at most `CARRY_DAYS` before. Otherwise there is none."""
    rate = DailyRates(closes).at(day)
    usable = [back for back in range(CARRY_DAYS + 1) if 0.8 <= closes.get(day - back, 0) <= 1.2]
    assert rate == (closes[day - usable[0]] if usable else None)


@given(st.dictionaries(st.integers(0, 40), st.sampled_from([0.99, 1.0, 1.01, 5.0])), st.lists(st.integers(0, 40)))
def test_rates_of_days_equal_the_rate_of_each_day(closes: Mapping[int, float], days: list[int]) -> None:
    """Reading the rates of many days at once gives each day the rate that it has alone, or none."""
    rates = DailyRates(closes)
    assert rates.of_days(days) == {day: rate for day in days if (rate := rates.at(day)) is not None}
