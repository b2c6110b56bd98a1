"""Trading days and hours of exchanges."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.sessions import latest_session, market_state, session, trading_day, trading_index
from financehub_simulator.universe import CRYPTO, EXCHANGES, NASDAQ, Exchange


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@given(st.sampled_from([NASDAQ, CRYPTO]), st.integers(-100_000, 100_000))
def test_trading_days_and_indices_are_inverse(exchange: Exchange, index: int):
    """Every index is one trading day, and the day has that index."""
    assert trading_index(exchange, trading_day(exchange, index)) == index


@pytest.mark.parametrize(
    ("zone", "day", "opening"),
    [
        ("", "2026-01-14", "2026-01-14T14:30"),
        ("", "2026-07-14", "2026-07-14T13:30"),
        ("", "2026-03-06", "2026-03-06T14:30"),
        ("", "2026-03-09", "2026-03-09T13:30"),
        ("L", "2026-07-14", "2026-07-14T07:00"),
        ("T", "2026-07-14", "2026-07-14T00:00"),
        ("AX", "2026-01-14", "2026-01-13T23:00"),
    ],
)
def test_sessions_open_at_local_time_through_dst(zone: str, day: str, opening: str):
    """An exchange opens at its own wall-clock time, in summer and winter, on either side of the date line."""
    assert session(EXCHANGES[zone], at(day) // 86_400).open == at(opening)


@pytest.mark.parametrize(
    ("moment", "state", "last"),
    [
        ("2026-07-14T12:00", "PRE", "2026-07-13"),
        ("2026-07-14T13:29", "PRE", "2026-07-13"),
        ("2026-07-14T13:30", "REGULAR", "2026-07-14"),
        ("2026-07-14T19:59", "REGULAR", "2026-07-14"),
        ("2026-07-14T20:00", "POST", "2026-07-14"),
        ("2026-07-15T00:30", "CLOSED", "2026-07-14"),
        ("2026-07-18T15:00", "CLOSED", "2026-07-17"),
        ("2026-07-19T15:00", "CLOSED", "2026-07-17"),
        ("2026-07-20T08:30", "PRE", "2026-07-17"),
    ],
)
def test_market_state_follows_the_clock(moment: str, state: str, last: str):
    """New York is open on weekdays from 9:30 to 16:00; otherwise the last session is the one that has opened last."""
    assert market_state(NASDAQ, at(moment)) == state
    assert latest_session(NASDAQ, at(moment)).day == at(last) // 86_400


def test_coins_trade_always():
    """A coin's day begins at midnight UTC and is never over before the next."""
    assert market_state(CRYPTO, at("2026-07-18T23:59")) == "REGULAR"
    assert latest_session(CRYPTO, at("2026-07-18T23:59")).open == at("2026-07-18")
