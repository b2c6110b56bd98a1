"""Trading days and hours: which trading day a moment belongs to, and how far into it the market is.

Exchange holidays are not modelled: every weekday is a trading day.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from financehub_simulator.universe import Exchange

DAY = 86_400
#: 1970-01-01 was a Thursday: this many days after a Monday.
_EPOCH_WEEKDAY = 3


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day of one exchange; times are Unix seconds.

    Args:
        offset: seconds the exchange's clock is ahead of UTC on that day.
        abbreviation: what its zone is called on that day (`EST`).
    """

    day: int
    pre: int
    open: int
    close: int
    post: int
    offset: int
    abbreviation: str


@lru_cache(maxsize=16_384)
def session(exchange: Exchange, day: int) -> Session:
    """The session of a trading day, `day` counted from 1970-01-01."""
    noon = datetime.fromtimestamp(day * DAY + DAY // 2, UTC).astimezone(ZoneInfo(exchange.zone))
    offset = noon.utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    midnight = day * DAY - (0 if exchange.continuous else seconds)
    pre, open_, close, post = (
        midnight + 60 * minutes for minutes in (exchange.pre, exchange.open, exchange.close, exchange.post)
    )
    return Session(day, pre, open_, close, post, seconds, noon.tzname() or exchange.zone)


def is_trading_day(exchange: Exchange, day: int) -> bool:
    """Whether the exchange trades on a day at all."""
    return exchange.continuous or (day + _EPOCH_WEEKDAY) % 7 < 5


def trading_index(exchange: Exchange, day: int) -> int:
    """Number of a trading day: consecutive over weekends."""
    if exchange.continuous:
        return day
    week, weekday = divmod(day + _EPOCH_WEEKDAY, 7)
    return week * 5 + min(weekday, 4)


def trading_day(exchange: Exchange, index: int) -> int:
    """The day of a trading index; the inverse of `trading_index`."""
    return index if exchange.continuous else index // 5 * 7 + index % 5 - _EPOCH_WEEKDAY


@lru_cache(maxsize=1_024)
def latest_session(exchange: Exchange, second: int) -> Session:
    """The last session that has opened at a moment, in whole Unix seconds."""
    day = second // DAY + 1
    while True:
        if is_trading_day(exchange, day):
            found = session(exchange, day)
            if found.open <= second:
                return found
        day -= 1


def market_state(exchange: Exchange, now: float) -> str:
    """Yahoo's `marketState` at `now`."""
    latest = latest_session(exchange, int(now))
    if now < latest.close:
        return "REGULAR"
    if now < latest.post:
        return "POST"
    following = trading_day(exchange, trading_index(exchange, latest.day) + 1)
    return "PRE" if session(exchange, following).pre <= now else "CLOSED"
