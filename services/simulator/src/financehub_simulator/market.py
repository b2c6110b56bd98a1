"""Prices as a pure function of seed, symbol and time: no state, so restarts agree and bars agree with quotes.

The logarithm of the daily close is a random walk over blocks of 4,096 trading days that begin and end at the
instrument's base price. Steps are bounded: a day moves at most 4.2 times the volatility, so genuine prices never look
like the errors that validation has to find.
"""

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b

from financehub_simulator.instruments import Instrument, instrument
from financehub_simulator.sessions import DAY, Session, latest_session, session, trading_day, trading_index
from financehub_simulator.walk import UNIT, bridge, stretch

_SPAN = 64
_BLOCK = _SPAN * _SPAN
#: Amplitude of the movement within minutes, as a part of the price; it vanishes at both ends of a day.
RIPPLE = 0.0004
_RIPPLES = 2 * math.pi * 96
_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One trading day, or 24 hours; `time` is its beginning, `end` its end or now while it runs, Unix seconds."""

    day: int
    time: int
    end: float
    open: float
    high: float
    low: float
    close: float
    volume: float
    previous_close: float


@dataclass(frozen=True, slots=True, eq=False)
class _Day:
    """What is fixed of a trading day: unrounded prices at its ends and each eighth, and its volume."""

    hours: Session
    prices: list[float]
    volume: float
    previous_close: float


class Market:
    """Every price there is.

    Args:
        seed: another seed, another market.
    """

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed
        self.instrument = lru_cache(maxsize=20_000)(partial(instrument, seed))
        self._closes = lru_cache(maxsize=4_096)(self._compute_closes)
        self._recent_day = lru_cache(maxsize=8_192)(self._day)
        self.statistics = lru_cache(maxsize=4_096)(self._statistics)

    def _compute_closes(self, instrument: Instrument, chunk: int) -> list[float]:
        """Log closes of 64 trading days and the one after, relative to the base price."""
        block, part = divmod(chunk, _SPAN)
        outer = blake2b(b"block %d" % block, key=instrument.key, digest_size=_SPAN - 1).digest()
        inner = blake2b(b"chunk %d" % chunk, key=instrument.key, digest_size=_SPAN - 1).digest()
        unit = instrument.sigma * UNIT / 2
        return bridge(*stretch(outer, unit * math.sqrt(_BLOCK), part), inner, unit * math.sqrt(_SPAN))

    def _close(self, instrument: Instrument, index: int) -> float:
        return self._closes(instrument, index // _SPAN)[index % _SPAN]

    def _day(self, instrument: Instrument, index: int) -> _Day:
        before, after = self._close(instrument, index - 1), self._close(instrument, index)
        digest = blake2b(b"day %d" % index, key=instrument.key, digest_size=_SEGMENTS + 1).digest()
        unit = instrument.sigma * UNIT
        continuous = instrument.exchange.continuous
        gap = 0.0 if continuous else 0.3 * unit * (digest[-1] - 127.5)
        path = bridge(before + gap, after, digest[: _SEGMENTS - 1], unit / 2)
        prices = [instrument.base * math.exp(value) for value in path]
        volume = instrument.turnover * (0.5 + digest[-2] / 255)
        previous = prices[0] if continuous else instrument.base * math.exp(before)
        day = trading_day(instrument.exchange, index)
        return _Day(session(instrument.exchange, day), prices, volume, previous)

    def _complete(self, instrument: Instrument, index: int) -> Bar:
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

    def _running(self, instrument: Instrument, index: int, now: float) -> Bar:
        """The bar of a day that has begun, up to `now`."""
        day, digits = self._recent_day(instrument, index), instrument.digits
        hours, prices = day.hours, day.prices
        end = min(now, hours.close)
        fraction = (end - hours.open) / (hours.close - hours.open)
        segment = min(int(fraction * _SEGMENTS), _SEGMENTS - 1)
        smooth = prices[segment] + (prices[segment + 1] - prices[segment]) * (fraction * _SEGMENTS - segment)
        seen = prices[: segment + 1]
        return Bar(
            hours.day,
            hours.open,
            end,
            round(prices[0], digits),
            round(max(*seen, smooth) * (1 + RIPPLE), digits),
            round(min(*seen, smooth) * (1 - RIPPLE), digits),
            round(smooth * (1 + RIPPLE * math.sin(_RIPPLES * fraction)) if fraction < 1 else smooth, digits),
            day.volume * fraction,
            round(day.previous_close, digits),
        )

    def history(self, symbol: str, first: int, last: int, now: float) -> list[Bar]:
        """Bars of the trading days `first` to `last`, the running one up to `now`, without those that have not begun.

        Raises:
            KeyError: nothing of that name has a price.
        """
        instrument = self.instrument(symbol)
        newest = self.index(symbol, now)
        bars = [self._complete(instrument, index) for index in range(first, min(last, newest - 1) + 1)]
        return [*bars, self._running(instrument, newest, now)] if first <= newest <= last else bars

    def index(self, symbol: str, now: float) -> int:
        """Index of the last trading day that has begun at `now`."""
        exchange = self.instrument(symbol).exchange
        return trading_index(exchange, latest_session(exchange, int(now)).day)

    def today(self, symbol: str, now: float) -> Bar:
        """The bar of the last trading day that has begun, up to `now`; its close is the price.

        Raises:
            KeyError: nothing of that name has a price.
        """
        return self._running(self.instrument(symbol), self.index(symbol, now), now)

    def window(self, symbol: str, now: float) -> Bar:
        """The 24 hours up to `now` of something that trades around the clock, as one bar.

        Raises:
            KeyError: nothing of that name has a price.
        """
        instrument = self.instrument(symbol)
        index, digits = self.index(symbol, now), instrument.digits
        today = self._running(instrument, index, now)
        before = self._running(instrument, index - 1, now - DAY)
        day = self._recent_day(instrument, index - 1)
        fraction = (now - today.time) / DAY
        rest = day.prices[math.ceil(fraction * _SEGMENTS) :]
        high = max(today.high, before.close, round(max(rest) * (1 + RIPPLE), digits))
        low = min(today.low, before.close, round(min(rest) * (1 - RIPPLE), digits))
        volume = today.volume + day.volume * (1 - fraction)
        start = int(now) - DAY
        return Bar(today.day, start, now, before.close, high, low, today.close, volume, before.close)

    def _statistics(self, symbol: str, index: int) -> tuple[float, float, float, float]:
        """Highest and lowest close of the 252 trading days before `index`, mean of the last 50 and of the last 200."""
        instrument = self.instrument(symbol)
        logs: list[float] = []
        for chunk in range((index - 252) // _SPAN, (index - 1) // _SPAN + 1):
            logs += self._compute_closes(instrument, chunk)[:_SPAN]
        first = (index - 252) // _SPAN * _SPAN
        closes = [instrument.base * math.exp(value) for value in logs[index - 252 - first : index - first]]
        return max(closes), min(closes), sum(closes[-50:]) / 50, sum(closes[-200:]) / 200
