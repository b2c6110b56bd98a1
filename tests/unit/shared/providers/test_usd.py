"""What a USDT is worth: how long a rate serves, and what happens when nobody tells it."""

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
        self.asked = 0

    async def _answer(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise UpstreamError(self.name, "HTTP 500")

    async def usdt_rate(self, deadline: float) -> Decimal:
        await self._answer()
        return Decimal(self.rate)

    async def usdt_daily(self, deadline: float) -> Mapping[int, float]:
        await self._answer()
        return self.days


async def test_a_rate_is_asked_for_once_in_ten_minutes():
    """Within `FRESH_SECONDS` nothing is sent, whoever asks, at once or later; after that the new rate is used."""
    source, clock = Source("a"), ManualClock()
    rates = UsdtRates([source], None, clock)
    await asyncio.gather(*(rates.spot(1) for _ in range(20)))
    clock.advance(FRESH_SECONDS - 1)
    await rates.spot(1)
    assert source.asked == 1
    source.rate = "0.98"
    clock.advance(1)
    assert (await rates.spot(1)).value == Decimal("0.98")


@pytest.mark.parametrize("broken", ["down", "implausible"])
async def test_the_second_source_is_asked_when_the_first_fails(broken: str):
    """An error or a rate far from the peg goes to the next source."""
    first, second = Source("first"), Source("second", "0.99")
    first.down, first.rate = broken == "down", "0.5"
    assert (await UsdtRates([first, second], None, ManualClock()).spot(1)).source == "second"


async def test_a_known_rate_serves_for_a_day_without_sources():
    """An outage of the sources is bridged for `USABLE_SECONDS`, then the failure is told with its reasons."""
    source, clock = Source("a"), ManualClock()
    rates = UsdtRates([source], None, clock)
    known = await rates.spot(1)
    source.down = True
    clock.advance(USABLE_SECONDS - 1)
    assert await rates.spot(1) == known
    clock.advance(2)
    with pytest.raises(UpstreamError, match="HTTP 500"):
        await rates.spot(1)


async def test_a_clock_set_back_does_not_keep_a_rate_for_ever():
    """A rate from the future is asked for again."""
    source, clock = Source("a"), ManualClock()
    rates = UsdtRates([source], None, clock)
    await rates.spot(1)
    clock.set_wall(clock.now() - 86_400)
    await rates.spot(1)
    assert source.asked == 2


async def test_daily_rates_are_one_request_for_all():
    """A thousand concurrent askers send one request; another day sends one more."""
    source = Source("a")
    source.days = {100: 1.0}
    rates = UsdtRates([], source, ManualClock())
    await asyncio.gather(*(rates.daily(100, 1) for _ in range(1_000)))
    assert source.asked == 1
    source.days = {100: 1.0, 101: 0.99}
    assert (await rates.daily(101, 1)).at(101) == 0.99
    assert source.asked == 2


async def test_daily_rates_outlive_a_short_outage():
    """The last known day carries over; with nothing known the failure is told."""
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
def test_a_day_takes_its_own_rate_or_one_of_the_week_before(closes: dict[int, float], day: int):
    """A rate is plausible, known, and of that day or at most `CARRY_DAYS` before; else there is none."""
    rate = DailyRates(closes).at(day)
    usable = [back for back in range(CARRY_DAYS + 1) if 0.8 <= closes.get(day - back, 0) <= 1.2]
    assert rate == (closes[day - usable[0]] if usable else None)
