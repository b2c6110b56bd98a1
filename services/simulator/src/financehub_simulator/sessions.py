"""The exchanges' trading days and trading hours.

Exchange holidays are not simulated, so every weekday is a trading day.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from financehub_simulator.universe import Exchange

DAY_SECONDS = 86_400
#: 1970-01-01 was a Thursday, which is this many days after a Monday.
_EPOCH_WEEKDAY = 3


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day of one exchange. Times are Unix seconds.

    Args:
        day: Days since 1970-01-01.
        pre: Start of pre-market trading.
        open: Start of regular trading.
        close: End of regular trading.
        post: End of post-market trading.
        offset: Seconds by which the exchange's local time is ahead of UTC on that day.
        abbreviation: Time zone abbreviation on that day, such as `EST`.
    """

    day: int
    pre: int
    open: int
    close: int
    post: int
    offset: int
    abbreviation: str


@lru_cache(maxsize=16_384)
def session_of(exchange: Exchange, day: int) -> Session:
    """Return the session of a trading day, given in days since 1970-01-01."""
    noon = datetime.fromtimestamp(day * DAY_SECONDS + DAY_SECONDS // 2, UTC).astimezone(ZoneInfo(exchange.zone))
    offset = noon.utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    midnight = day * DAY_SECONDS - (0 if exchange.continuous else seconds)
    pre, open_, close, post = (
        midnight + 60 * minutes for minutes in (exchange.pre, exchange.open, exchange.close, exchange.post)
    )
    return Session(day, pre, open_, close, post, seconds, noon.tzname() or exchange.zone)


def is_trading_day(exchange: Exchange, day: int) -> bool:
    """Whether the exchange trades on a day, given in days since 1970-01-01."""
    return exchange.continuous or (day + _EPOCH_WEEKDAY) % 7 < 5


def trading_index(exchange: Exchange, day: int) -> int:
    """Return the index of a trading day. Indices are consecutive across weekends."""
    if exchange.continuous:
        return day
    week, weekday = divmod(day + _EPOCH_WEEKDAY, 7)
    return week * 5 + min(weekday, 4)


def trading_day(exchange: Exchange, index: int) -> int:
    """Return the day with a trading index. This is the inverse of `trading_index`."""
    return index if exchange.continuous else index // 5 * 7 + index % 5 - _EPOCH_WEEKDAY


@lru_cache(maxsize=1_024)
def latest_session(exchange: Exchange, second: int) -> Session:
    """Return the last session that has opened by `second`, given in Unix seconds."""
    day = second // DAY_SECONDS + 1
    while True:
        if is_trading_day(exchange, day):
            candidate = session_of(exchange, day)
            if candidate.open <= second:
                return candidate
        day -= 1


def market_state(exchange: Exchange, now: float) -> str:
    """Return the `marketState` that Yahoo reports at `now`."""
    latest = latest_session(exchange, int(now))
    if now < latest.close:
        return "REGULAR"
    if now < latest.post:
        return "POST"
    following = trading_day(exchange, trading_index(exchange, latest.day) + 1)
    return "PRE" if session_of(exchange, following).pre <= now else "CLOSED"
