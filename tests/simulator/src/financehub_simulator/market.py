"""Prices as a pure function of seed, symbol and time: no state, so restarts agree and bars agree with quotes.

The logarithm of the daily close is a random walk, built by midpoint displacement (Lévy's construction of Brownian
motion) over blocks of 4,096 trading days that begin and end at the instrument's base price. Any day costs two hashes
instead of a walk from the beginning. Steps are bounded: a day moves at most 4.2 times the volatility, so genuine
prices never look like the errors that validation has to find.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from financehub_simulator.sessions import latest_session, trading_day, trading_index
from financehub_simulator.sessions import session as session_of
from financehub_simulator.universe import (
    COINS,
    CRYPTO,
    ETFS,
    STABLE,
    STOCKS,
    Exchange,
    crypto_base,
    exchange_of,
    is_known,
)

#: Value of a currency in USD: a constant scale, not a rate.
RATES = {"USD": 1.0, "EUR": 1.08, "GBP": 1.27}
_SPAN = 64
_BLOCK = _SPAN * _SPAN
#: Spreads a byte over [-√3, √3]: variance 1.
_UNIT = math.sqrt(3) / 127.5
#: Amplitude of the movement within minutes, in log price.
RIPPLE = 0.0004
_RIPPLES_PER_DAY = 96
_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class Instrument:
    """Something that has a price.

    Args:
        kind: Yahoo's quoteType.
        base: price scale, in the exchange's currency unit.
        sigma: daily volatility of the log price.
        turnover: typical daily volume in units of the instrument.
        key: what its randomness is derived from.
    """

    symbol: str
    name: str
    kind: str
    exchange: Exchange
    currency: str
    base: float
    sigma: float
    turnover: float
    key: bytes


@dataclass(frozen=True, slots=True)
class Bar:
    """One trading day; `time` is its opening, `end` its close or now for the running day, Unix seconds."""

    day: int
    time: int
    end: float
    open: float
    high: float
    low: float
    close: float
    volume: float
    previous_close: float


def round_price(price: float, *, stock: bool) -> float:
    """Round as exchanges do: cents for stocks, about seven digits for coins."""
    if stock and price >= 1:
        return round(price, 2)
    return round(price, 2 if price >= 1_000 else 4 if price >= 1 else 6 if price >= 0.01 else 10)


def _bridge(start: float, end: float, digest: bytes, amplitude: float) -> list[float]:
    """Points of a path from `start` to `end`, halved as often as the digest has bytes for."""
    points = [start, end]
    position = 0
    while position < len(digest) - 1:
        refined = [points[0]]
        before = points[0]
        for after in points[1:]:
            refined += ((before + after) / 2 + amplitude * (digest[position] - 127.5), after)
            before = after
            position += 1
        points = refined
        amplitude *= math.sqrt(0.5)
    return points


class Market:
    """Every price there is.

    Args:
        seed: another seed, another market.
    """

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed
        self.instrument = lru_cache(maxsize=20_000)(self._instrument)
        self._closes = lru_cache(maxsize=4_096)(self._compute_closes)
        self._path = lru_cache(maxsize=4_096)(self._compute_path)
        self.statistics = lru_cache(maxsize=4_096)(self._statistics)

    def _instrument(self, symbol: str) -> Instrument:
        """The instrument of a canonical symbol.

        Raises:
            KeyError: nothing of that name has a price.
        """
        if not is_known(symbol):
            raise KeyError(symbol)
        exchange = exchange_of(symbol)
        coin = crypto_base(symbol)
        # One coin is one random walk, whatever money it is priced in.
        key = blake2b(f"{self.seed}:{coin or symbol}".encode(), digest_size=32).digest()
        spread = int.from_bytes(key[:2]) / 65_535
        if coin:
            known = COINS.get(coin)
            sigma = 0.0002 if coin in STABLE else 0.02 + 0.02 * spread
            name = known[1] if known else coin.title()
            currency = symbol.rsplit("-", 1)[1]
            base = (known[2] if known else 10 ** (2.5 * spread - 1)) / RATES[currency]
            return Instrument(
                symbol, f"{name} {currency}", "CRYPTOCURRENCY", exchange, currency, base, sigma, 5e9 / base, key
            )
        if symbol.endswith("=X"):
            name = f"{symbol[:3]}/{symbol[3:6]}"
            return Instrument(symbol, name, "CURRENCY", exchange, symbol[3:6], 0.6 + spread, 0.004, 0, key)
        name, base = STOCKS.get(
            symbol, (f"{symbol.split('.', maxsplit=1)[0].title()} Corporation", 10 ** (1 + 1.6 * spread))
        )
        kind = "INDEX" if symbol.startswith("^") else "ETF" if symbol in ETFS else "EQUITY"
        return Instrument(
            symbol, name, kind, exchange, exchange.currency, base, 0.008 + 0.012 * spread, 3e9 / base, key
        )

    def _compute_closes(self, instrument: Instrument, chunk: int) -> list[float]:
        """Log closes of 64 trading days and the one after, relative to the base price."""
        block, part = divmod(chunk, _SPAN)
        outer = blake2b(b"block %d" % block, key=instrument.key, digest_size=_SPAN).digest()
        inner = blake2b(b"chunk %d" % chunk, key=instrument.key, digest_size=_SPAN).digest()
        unit = instrument.sigma * _UNIT / 2
        coarse = _bridge(0.0, 0.0, outer, unit * math.sqrt(_BLOCK))
        return _bridge(coarse[part], coarse[part + 1], inner, unit * math.sqrt(_SPAN))

    def _close(self, instrument: Instrument, index: int) -> float:
        return self._closes(instrument, index // _SPAN)[index % _SPAN]

    def _compute_path(self, instrument: Instrument, index: int) -> tuple[list[float], float]:
        """Log prices of one trading day at its ends and at each eighth, and the day's volume."""
        before, after = self._close(instrument, index - 1), self._close(instrument, index)
        digest = blake2b(b"day %d" % index, key=instrument.key, digest_size=10).digest()
        unit = instrument.sigma * _UNIT
        gap = 0.0 if instrument.exchange.continuous else 0.3 * unit * (digest[8] - 127.5)
        volume = instrument.turnover * (0.5 + digest[9] / 255)
        return _bridge(before + gap, after, digest[:_SEGMENTS], unit / 2), volume

    def bar(self, symbol: str, index: int, until: float | None = None) -> Bar:
        """The bar of a trading day, up to `until` (Unix seconds) if it is still running.

        Raises:
            KeyError: nothing of that name has a price.
        """
        instrument = self.instrument(symbol)
        exchange = instrument.exchange
        session = session_of(exchange, trading_day(exchange, index))
        running = until is not None and until < session.close
        path, volume = self._path(instrument, index) if running else self._compute_path(instrument, index)
        end = max(until, session.open) if running and until is not None else session.close
        fraction = (end - session.open) / (session.close - session.open)
        segment = min(int(fraction * _SEGMENTS), _SEGMENTS - 1)
        into = fraction * _SEGMENTS - segment
        smooth = path[segment] + (path[segment + 1] - path[segment]) * into
        last = smooth + RIPPLE * math.sin(2 * math.pi * _RIPPLES_PER_DAY * fraction) if running else path[-1]
        seen = (*path[: segment + 1], smooth)
        stock = exchange is not CRYPTO and instrument.kind != "CURRENCY"
        open_, high, low, close, previous = (
            round_price(instrument.base * math.exp(value), stock=stock)
            for value in (path[0], max(seen) + RIPPLE, min(seen) - RIPPLE, last, self._close(instrument, index - 1))
        )
        return Bar(session.day, session.open, end, open_, high, low, close, volume * fraction, previous)

    def history(self, symbol: str, first: int, last: int, now: float) -> list[Bar]:
        """Bars of the trading days `first` to `last`, without those that have not begun at `now`.

        Raises:
            KeyError: nothing of that name has a price.
        """
        return [self.bar(symbol, index, now) for index in range(first, min(last, self.index(symbol, now)) + 1)]

    def index(self, symbol: str, now: float) -> int:
        """Index of the last trading day that has begun at `now`."""
        exchange = self.instrument(symbol).exchange
        return trading_index(exchange, latest_session(exchange, now).day)

    def today(self, symbol: str, now: float) -> Bar:
        """The bar of the last trading day that has begun, up to `now`; its close is the price.

        Raises:
            KeyError: nothing of that name has a price.
        """
        return self.bar(symbol, self.index(symbol, now), now)

    def window(self, symbol: str, now: float) -> Bar:
        """The 24 hours up to `now` of something that trades around the clock, as one bar."""
        index = self.index(symbol, now)
        today, before = self.bar(symbol, index, now), self.bar(symbol, index - 1, now - 86_400)
        instrument = self.instrument(symbol)
        path, volume = self._path(instrument, index - 1)
        fraction = (now - today.time) / 86_400
        rest = [
            round_price(instrument.base * math.exp(value), stock=False)
            for value in path[math.ceil(fraction * _SEGMENTS) :]
        ]
        high, low = max(today.high, before.close, *rest), min(today.low, before.close, *rest)
        total = today.volume + volume * (1 - fraction)
        return Bar(today.day, int(now) - 86_400, now, before.close, high, low, today.close, total, before.close)

    def _statistics(self, symbol: str, index: int) -> tuple[float, float, float, float]:
        """Highest and lowest close of the 252 trading days before `index`, mean of the last 50 and of the last 200."""
        instrument = self.instrument(symbol)
        logs: list[float] = []
        for chunk in range((index - 252) // _SPAN, (index - 1) // _SPAN + 1):
            logs += self._compute_closes(instrument, chunk)[:_SPAN]
        first = (index - 252) // _SPAN * _SPAN
        closes = [instrument.base * math.exp(value) for value in logs[index - 252 - first : index - first]]
        return max(closes), min(closes), sum(closes[-50:]) / 50, sum(closes[-200:]) / 200
