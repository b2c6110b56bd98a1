"""Tests of the exchanges' trading days and trading hours."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.sessions import latest_session, market_state, session_of, trading_day, trading_index
from financehub_simulator.universe import CRYPTO, EXCHANGES, NASDAQ, Exchange


def unix_time(text: str) -> int:
    """Convert an ISO 8601 time in UTC to a Unix time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@given(st.sampled_from([NASDAQ, CRYPTO]), st.integers(-100_000, 100_000))
def test_trading_day_is_the_inverse_of_trading_index(exchange: Exchange, index: int):
    """Every index belongs to one trading day, and that day has this index."""
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
def test_session_opens_at_local_time_in_summer_and_winter(zone: str, day: str, opening: str):
    """An exchange opens at its local time in summer and winter, on either side of the date line."""
    assert session_of(EXCHANGES[zone], unix_time(day) // 86_400).open == unix_time(opening)


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
def test_market_state_of_new_york_follows_its_trading_hours(moment: str, state: str, last: str):
    """New York trades on weekdays from 9:30 to 16:00. Before the open, the latest session is the previous one."""
    assert market_state(NASDAQ, unix_time(moment)) == state
    assert latest_session(NASDAQ, unix_time(moment)).day == unix_time(last) // 86_400


def test_market_state_of_coins_is_always_regular():
    """A coin's day starts at midnight UTC and lasts until the next midnight."""
    assert market_state(CRYPTO, unix_time("2026-07-18T23:59")) == "REGULAR"
    assert latest_session(CRYPTO, unix_time("2026-07-18T23:59")).open == unix_time("2026-07-18")
