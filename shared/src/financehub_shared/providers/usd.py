"""What one USDT is worth in USD: Binance quotes in USDT, and USDT is not USD (ADR 0015)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ProviderError, UpstreamError
from financehub_shared.providers.transport.loop_local import PerLoop

#: A rate is asked for again after this long; USDT moves by less than 0.1 % in ten minutes outside of a panic.
FRESH_SECONDS = 600.0
#: While no source answers, a known rate serves for this long, and the quote's note tells its age.
USABLE_SECONDS = 86_400.0
#: Outside of this the peg is gone or the source is wrong: better no conversion than that one.
PLAUSIBLE = (Decimal("0.8"), Decimal("1.2"))
#: A day without a rate of its own takes the last one up to this many days before it.
CARRY_DAYS = 7


class RateSource(Protocol):
    """Who knows the price of USDT in USD."""

    name: str

    async def usdt_rate(self, deadline: float) -> Decimal:
        """USD per USDT, now."""
        ...


class DailyRateSource(Protocol):
    """Who knows the daily closes of USDT in USD."""

    name: str

    async def usdt_daily(self, deadline: float) -> Mapping[int, float]:
        """Day (since 1970-01-01) → USD per USDT at its close, as far back as the upstream keeps them."""
        ...


@dataclass(frozen=True, slots=True)
class UsdtRate:
    """USD per USDT.

    Args:
        value: the rate.
        source: who said so.
        at: when it was asked, Unix seconds.
    """

    value: Decimal
    source: str
    at: float


class UsdtRates:
    """Keeps the rates of a process.

    Args:
        spot: sources of the present rate, in order of preference.
        daily: source of the daily rates; None: none.
        clock: for ages.
    """

    def __init__(self, spot: Sequence[RateSource], daily: DailyRateSource | None, clock: Clock) -> None:
        self._spot_sources = spot
        self._daily_source = daily
        self._clock = clock
        self._lock = PerLoop(asyncio.Lock)
        self._spot: UsdtRate | None = None
        self._daily = DailyRates({})

    async def spot(self, deadline: float) -> UsdtRate:
        """The present rate, at most `FRESH_SECONDS` old while a source answers.

        Raises:
            UpstreamError: no source answers and no usable rate is known.
        """
        async with self._lock.get():
            now = self._clock.now()
            if self._spot is not None and 0 <= now - self._spot.at < FRESH_SECONDS:
                return self._spot
            failures = []
            for source in self._spot_sources:
                try:
                    value = await source.usdt_rate(deadline)
                except ProviderError as error:
                    failures.append(str(error))
                    continue
                if PLAUSIBLE[0] <= value <= PLAUSIBLE[1]:
                    self._spot = UsdtRate(value, source.name, now)
                    return self._spot
                failures.append(f"{source.name}: {value} USD per USDT is not plausible")
            if self._spot is not None and 0 <= now - self._spot.at < USABLE_SECONDS:
                return self._spot
            raise UpstreamError("usdt-rate", f"no USD per USDT: {'; '.join(failures) or 'no source is set'}")

    async def daily(self, last_day: int, deadline: float) -> "DailyRates":
        """The daily rates, asked for once until `last_day` is no longer among them.

        Raises:
            ProviderError: the source failed and nothing usable is known.
        """
        async with self._lock.get():
            if not self._daily.has(last_day):
                if self._daily_source is None:
                    raise UpstreamError("usdt-rate", "no source of daily rates is set")
                try:
                    self._daily = DailyRates(await self._daily_source.usdt_daily(deadline))
                except ProviderError:
                    if self._daily.at(last_day) is None:
                        raise
            return self._daily


class DailyRates:
    """Rate of each day; pure.

    Args:
        closes: day → USD per USDT.
    """

    def __init__(self, closes: Mapping[int, float]) -> None:
        low, high = map(float, PLAUSIBLE)
        self._closes = {day: rate for day, rate in closes.items() if low <= rate <= high}

    def has(self, day: int) -> bool:
        """Whether the day has a rate of its own."""
        return day in self._closes

    def at(self, day: int) -> float | None:
        """The day's rate, or the last one up to `CARRY_DAYS` before; None when there is none."""
        for candidate in range(day, day - CARRY_DAYS - 1, -1):
            rate = self._closes.get(candidate)
            if rate is not None:
                return rate
        return None
