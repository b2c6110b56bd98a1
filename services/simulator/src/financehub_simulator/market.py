"""Prices as a pure function of seed, symbol and time.

There is no state, so prices survive restarts, and bars are consistent with quotes. The logarithm of the daily close is
a random walk over blocks of 4,096 trading days that start and end at the base price of the instrument. A price moves at
most 4.2 times the volatility per day, so genuine prices never look like the errors that validation must detect.
"""

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b

from financehub_simulator.instruments import Instrument, make_instrument
from financehub_simulator.random_walk import UNIT_STEP, bridge, bridge_segment
from financehub_simulator.sessions import DAY_SECONDS, Session, latest_session, session_of, trading_day, trading_index

#: Trading days of one chunk. Their closes are computed together.
_CHUNK_DAYS = 64
#: Trading days of one block.
_BLOCK_DAYS = _CHUNK_DAYS * _CHUNK_DAYS
#: Amplitude of the movement within minutes, as a fraction of the price. It is zero at both ends of a day.
RIPPLE = 0.0004
_RIPPLE_RADIANS_PER_DAY = 2 * math.pi * 96
#: Distance of the bid and the ask from the last price, as a fraction of that price.
_HALF_SPREAD = 0.0001
#: Number of segments per day. Prices are interpolated between the ends of a segment.
_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices of one trading day, or of 24 hours.

    Args:
        day: Days since 1970-01-01.
        time: Start in Unix seconds.
        end: End in Unix seconds. For a day that has not ended yet, it is the current time.
    """

    day: int
    time: int
    end: float
    open: float
    high: float
    low: float
    close: float
    volume: float
    previous_close: float

    @property
    def bid(self) -> float:
        """The highest price that a buyer offers."""
        return self.close * (1 - _HALF_SPREAD)

    @property
    def ask(self) -> float:
        """The lowest price that a seller asks."""
        return self.close * (1 + _HALF_SPREAD)


@dataclass(frozen=True, slots=True, eq=False)
class _Day:
    """The values that determine a trading day.

    Args:
        hours: Trading hours.
        prices: Unrounded prices at the ends of all segments.
        volume: Volume of the whole day.
        previous_close: Unrounded close of the previous trading day.
    """

    hours: Session
    prices: list[float]
    volume: float
    previous_close: float


class Market:
    """All prices of one simulator.

    Args:
        seed: Determines all prices.
    """

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed
        self.instrument = lru_cache(maxsize=20_000)(partial(make_instrument, seed))
        self._closes = lru_cache(maxsize=4_096)(self._compute_closes)
        self._recent_day = lru_cache(maxsize=8_192)(self._day)
        self.close_statistics = lru_cache(maxsize=4_096)(self._statistics)

    def _compute_closes(self, instrument: Instrument, chunk: int) -> list[float]:
        """Return the log closes of 64 trading days and of the next one, relative to the base price."""
        block, chunk_of_block = divmod(chunk, _CHUNK_DAYS)
        outer = blake2b(b"block %d" % block, key=instrument.random_key, digest_size=_CHUNK_DAYS - 1).digest()
        inner = blake2b(b"chunk %d" % chunk, key=instrument.random_key, digest_size=_CHUNK_DAYS - 1).digest()
        unit = instrument.volatility * UNIT_STEP / 2
        return bridge(
            *bridge_segment(outer, unit * math.sqrt(_BLOCK_DAYS), chunk_of_block), inner, unit * math.sqrt(_CHUNK_DAYS)
        )

    def _close(self, instrument: Instrument, index: int) -> float:
        return self._closes(instrument, index // _CHUNK_DAYS)[index % _CHUNK_DAYS]

    def _day(self, instrument: Instrument, index: int) -> _Day:
        previous, current = self._close(instrument, index - 1), self._close(instrument, index)
        digest = blake2b(b"day %d" % index, key=instrument.random_key, digest_size=_SEGMENTS + 1).digest()
        unit = instrument.volatility * UNIT_STEP
        continuous = instrument.exchange.continuous
        gap = 0.0 if continuous else 0.3 * unit * (digest[-1] - 127.5)
        path = bridge(previous + gap, current, digest[: _SEGMENTS - 1], unit / 2)
        prices = [instrument.base_price * math.exp(value) for value in path]
        volume = instrument.daily_volume * (0.5 + digest[-2] / 255)
        previous_close = prices[0] if continuous else instrument.base_price * math.exp(previous)
        day = trading_day(instrument.exchange, index)
        return _Day(session_of(instrument.exchange, day), prices, volume, previous_close)

    def _complete_bar(self, instrument: Instrument, index: int) -> Bar:
        day, digits = self._day(instrument, index), instrument.digits
        hours, prices = day.hours, day.prices
        return Bar(
            hours.day,
            hours.open,
            hours.close,
            round(prices[0], digits),
            round(max(prices) * (1 + RIPPLE), digits),
            round(min(prices) * (1 - RIPPLE), digits),
            round(prices[-1], digits),
            day.volume,
            round(day.previous_close, digits),
        )

    def _current_bar(self, instrument: Instrument, index: int, now: float) -> Bar:
        """Return the bar of a day that has started, up to `now`."""
        day, digits = self._recent_day(instrument, index), instrument.digits
        hours, prices = day.hours, day.prices
        end = min(now, hours.close)
        fraction = (end - hours.open) / (hours.close - hours.open)
        segment = min(int(fraction * _SEGMENTS), _SEGMENTS - 1)
        interpolated = prices[segment] + (prices[segment + 1] - prices[segment]) * (fraction * _SEGMENTS - segment)
        passed = prices[: segment + 1]
        ripple = RIPPLE * math.sin(_RIPPLE_RADIANS_PER_DAY * fraction) if fraction < 1 else 0.0
        close = interpolated * (1 + ripple)
        return Bar(
            hours.day,
            hours.open,
            end,
            round(prices[0], digits),
            round(max(*passed, interpolated) * (1 + RIPPLE), digits),
            round(min(*passed, interpolated) * (1 - RIPPLE), digits),
            round(close, digits),
            day.volume * fraction,
            round(day.previous_close, digits),
        )

    def history(self, symbol: str, first: int, last: int, now: float) -> list[Bar]:
        """Return the bars of the trading days with indices `first` to `last`.

        The bar of the current day ends at `now`. Days that have not started are left out.

        Raises:
            KeyError: The symbol has no price.
        """
        instrument = self.instrument(symbol)
        newest = self.current_index(symbol, now)
        bars = [self._complete_bar(instrument, index) for index in range(first, min(last, newest - 1) + 1)]
        return [*bars, self._current_bar(instrument, newest, now)] if first <= newest <= last else bars

    def current_index(self, symbol: str, now: float) -> int:
        """Return the index of the last trading day that has started at `now`."""
        exchange = self.instrument(symbol).exchange
        return trading_index(exchange, latest_session(exchange, int(now)).day)

    def current_day(self, symbol: str, now: float) -> Bar:
        """Return the bar of the last trading day that has started, up to `now`. Its close is the current price.

        Raises:
            KeyError: The symbol has no price.
        """
        return self._current_bar(self.instrument(symbol), self.current_index(symbol, now), now)

    def last_24_hours(self, symbol: str, now: float) -> Bar:
        """Return the 24 hours up to `now` as one bar, for an instrument that trades around the clock.

        Raises:
            KeyError: The symbol has no price.
        """
        instrument = self.instrument(symbol)
        index, digits = self.current_index(symbol, now), instrument.digits
        today = self._current_bar(instrument, index, now)
        yesterday = self._current_bar(instrument, index - 1, now - DAY_SECONDS)
        day = self._recent_day(instrument, index - 1)
        fraction = (now - today.time) / DAY_SECONDS
        remaining = day.prices[math.ceil(fraction * _SEGMENTS) :]
        high = max(today.high, yesterday.close, round(max(remaining) * (1 + RIPPLE), digits))
        low = min(today.low, yesterday.close, round(min(remaining) * (1 - RIPPLE), digits))
        volume = today.volume + day.volume * (1 - fraction)
        start = int(now) - DAY_SECONDS
        return Bar(today.day, start, now, yesterday.close, high, low, today.close, volume, yesterday.close)

    def _statistics(self, symbol: str, index: int) -> tuple[float, float, float, float]:
        """Return the highest and lowest of the 252 closes before `index`, and the means of the last 50 and 200."""
        instrument = self.instrument(symbol)
        logs: list[float] = []
        for chunk in range((index - 252) // _CHUNK_DAYS, (index - 1) // _CHUNK_DAYS + 1):
            logs += self._compute_closes(instrument, chunk)[:_CHUNK_DAYS]
        first = (index - 252) // _CHUNK_DAYS * _CHUNK_DAYS
        closes = [instrument.base_price * math.exp(value) for value in logs[index - 252 - first : index - first]]
        return max(closes), min(closes), sum(closes[-50:]) / 50, sum(closes[-200:]) / 200
