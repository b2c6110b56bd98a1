"""Provides USDT rates in USD. Binance quotes prices in USDT, which is not worth exactly one dollar (ADR 0015)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import ProviderError, UpstreamError
from financehub_shared.core.loop_local import LoopLocal

#: Age at which a rate is fetched again. USDT moves by less than 0.1 % in ten minutes outside a panic.
FRESH_SECONDS = 600.0
#: Age up to which a known rate is used while all sources fail. The quote's note shows the age.
USABLE_SECONDS = float(DAY_SECONDS)
#: Outside this range the peg is broken or the source is wrong, and failing is better than converting.
PLAUSIBLE = (Decimal("0.8"), Decimal("1.2"))
#: A rate that differs from 1 USD per USDT by more than this is used only if a second source agrees with it. USDT has
#: differed more from the dollar only for hours at a time, such as in May 2022.
NEAR_PEG = Decimal("0.02")
#: Two sources agree if their rates differ by at most this many USD per USDT.
AGREEMENT = Decimal("0.01")
#: A day without a rate uses the rate of an earlier day, at most this many days before.
CARRY_DAYS = 7


class RateSource(Protocol):
    """A provider that knows the current price of USDT in USD."""

    name: str

    async def usdt_rate(self, deadline: float) -> Decimal:
        """Fetch the current rate, in USD per USDT."""
        ...


class DailyRateSource(Protocol):
    """A provider that knows the daily closes of USDT in USD."""

    name: str

    async def usdt_daily(self, deadline: float) -> Mapping[int, float]:
        """Fetch day (since 1970-01-01) → USD per USDT at that day's close, for all days that the upstream has."""
        ...


@dataclass(frozen=True, slots=True)
class UsdtRate:
    """A rate in USD per USDT.

    Args:
        value: The rate.
        source: Name of the provider.
        at: Unix seconds of the fetch.
    """

    value: Decimal
    source: str
    at: float


class UsdtRates:
    """Fetches and caches the rates of a process.

    Args:
        spot: Sources of the current rate, first choice first.
        daily: Source of the daily rates. None if there is none.
        clock: Clock for the age of rates.
    """

    def __init__(self, spot: Sequence[RateSource], daily: DailyRateSource | None, clock: Clock) -> None:
        self._spot_sources = spot
        self._daily_source = daily
        self._clock = clock
        self._lock = LoopLocal(asyncio.Lock)
        self._spot: UsdtRate | None = None
        self._daily = DailyRates({})

    async def spot(self, deadline: float) -> UsdtRate:
        """Return the current rate, at most `FRESH_SECONDS` old while a source responds.

        Raises:
            UpstreamError: All sources failed and no usable rate is known.
        """
        async with self._lock.get():
            now = self._clock.now()
            if self._spot is not None and 0 <= now - self._spot.at < FRESH_SECONDS:
                return self._spot
            rate, doubtful, failures = await self._ask_sources(deadline, now)
            if rate is not None:
                self._spot = rate
                return rate
            # While the peg may be broken, an earlier rate is worse than no rate.
            if not doubtful and self._spot is not None and 0 <= now - self._spot.at < USABLE_SECONDS:
                return self._spot
            detail = "; ".join(failures) or "no source is configured"
            raise UpstreamError("usdt-rate", f"the rate of USDT in USD is unknown: {detail}")

    async def _ask_sources(self, deadline: float, now: float) -> tuple[UsdtRate | None, list[UsdtRate], list[str]]:
        """Return the rate or None, the rates far from 1 that no second source confirmed, and why each source failed."""
        doubtful: list[UsdtRate] = []
        failures: list[str] = []
        for source in self._spot_sources:
            try:
                rate = UsdtRate(await source.usdt_rate(deadline), source.name, now)
            except ProviderError as error:
                failures.append(str(error))
                continue
            if not (rate.value.is_finite() and PLAUSIBLE[0] <= rate.value <= PLAUSIBLE[1]):
                failures.append(f"{source.name}: {rate.value} USD per USDT is not plausible")
                continue
            confirmed = [other for other in doubtful if abs(other.value - rate.value) <= AGREEMENT]
            if confirmed or abs(rate.value - 1) <= NEAR_PEG:
                return (confirmed or [rate])[0], [], []
            doubtful.append(rate)
            failures.append(f"{source.name}: {rate.value} USD per USDT, which no other source confirms")
        return None, doubtful, failures

    async def daily(self, last_day: int, deadline: float) -> "DailyRates":
        """Return the daily rates. They are fetched only if they do not include `last_day` yet.

        Raises:
            ProviderError: The source failed and no usable rates are known.
        """
        async with self._lock.get():
            if not self._daily.has(last_day):
                if self._daily_source is None:
                    raise UpstreamError("usdt-rate", "no source of daily rates is configured")
                try:
                    self._daily = DailyRates(await self._daily_source.usdt_daily(deadline))
                except ProviderError:
                    if self._daily.at(last_day) is None:
                        raise
            return self._daily


class DailyRates:
    """The daily rates. Pure.

    Args:
        closes: Day → USD per USDT. Implausible rates are dropped.
    """

    def __init__(self, closes: Mapping[int, float]) -> None:
        low, high = map(float, PLAUSIBLE)
        self._closes = {day: rate for day, rate in closes.items() if low <= rate <= high}

    def has(self, day: int) -> bool:
        """Whether the rate of exactly this day is known."""
        return day in self._closes

    def of_days(self, days: Sequence[int]) -> dict[int, float]:
        """Return day → rate as `at` does, without the days that have none."""
        rates = list(map(self._closes.get, days))
        if None in rates:
            rates = list(map(self.at, days))
        return {day: rate for day, rate in zip(days, rates, strict=True) if rate is not None}

    def at(self, day: int) -> float | None:
        """Return the rate of a day, or else the latest one of the `CARRY_DAYS` days before. None if there is none."""
        for candidate in range(day, day - CARRY_DAYS - 1, -1):
            rate = self._closes.get(candidate)
            if rate is not None:
                return rate
        return None
