"""Tests of the trading week: the age of a price, the limit of stale prices, and the newest complete bar."""

from datetime import UTC, date, datetime

import exchange_calendars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.kinds import KINDS, AssetKind
from financehub_shared.core.market_hours import MarketHours

DAY = 86_400.0
HOURS = [spec.hours for spec in KINDS.values()]


def unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@given(st.sampled_from(HOURS), st.floats(0, 2e9), st.floats(0, 30 * DAY), st.floats(0, 30 * DAY))
def test_open_seconds_are_additive(hours: MarketHours, start: float, first: float, second: float):
    """The open seconds of two adjacent spans add up to those of the whole span, and every week has the same number."""
    middle, end = start + first, start + first + second
    whole = hours.open_seconds(start, end)
    assert whole == pytest.approx(hours.open_seconds(start, middle) + hours.open_seconds(middle, end), abs=1e-3)
    assert 0 <= whole <= end - start + 1e-3
    assert hours.open_seconds(start, start + 7 * DAY) == pytest.approx((hours.closes - hours.opens) * 3_600)


@pytest.mark.parametrize(
    ("kind", "start", "end", "hours"),
    [
        (AssetKind.COIN, "2026-11-27T21:00", "2026-11-30T01:00", 52),
        (AssetKind.EQUITY, "2026-11-27T21:00", "2026-11-30T01:00", 4),
        (AssetKind.FX, "2026-11-27T20:00", "2026-11-29T23:00", 2),
        (AssetKind.FX, "2026-11-28T00:00", "2026-11-29T22:00", 0),
        (AssetKind.FUTURE, "2026-11-27T20:00", "2026-11-29T23:30", 1.5),
    ],
)
def test_open_seconds_leave_out_the_weekend_of_the_kind(kind: AssetKind, start: str, end: str, hours: float):
    """Prices of FX and futures age from Sunday evening on, of shares from Monday on, and of coins always (D14)."""
    assert KINDS[kind].hours.open_seconds(unix(start), unix(end)) == pytest.approx(hours * 3_600)


@pytest.mark.parametrize(
    ("calendar", "kind", "abroad"),
    [
        ("XNYS", AssetKind.EQUITY, False),
        ("XIDX", AssetKind.EQUITY, True),
        ("XIST", AssetKind.INDEX, True),
        ("CMES", AssetKind.FUTURE, False),
    ],
)
def test_price_of_the_last_session_is_not_stale_before_the_next_one(calendar: str, kind: AssetKind, abroad: bool):
    """In the real exchange calendars since 2018, no holiday makes the price of the last session stale (D14)."""
    sessions = exchange_calendars.get_calendar(calendar, start="2018-01-01", end="2026-12-31")
    hours = KINDS[kind].hours
    gaps = [
        hours.open_seconds(closed.timestamp(), opened.timestamp())
        for closed, opened in zip(sessions.closes.to_list()[:-1], sessions.opens.to_list()[1:], strict=True)
    ]
    assert max(gaps) < hours.stale_seconds(abroad=abroad) < 2 * max(gaps) + 3_600 * 4


@pytest.mark.parametrize(
    ("kind", "now", "newest"),
    [
        (AssetKind.COIN, "2026-11-29T01:00", (2026, 11, 28)),
        (AssetKind.EQUITY, "2026-11-29T01:00", (2026, 11, 27)),
        (AssetKind.EQUITY, "2026-11-28T01:00", (2026, 11, 27)),
        (AssetKind.FUND, "2026-11-28T01:00", (2026, 11, 26)),
        (AssetKind.FUND, "2026-11-28T06:00", (2026, 11, 27)),
        (AssetKind.FX, "2026-11-30T01:00", (2026, 11, 27)),
        (AssetKind.FUTURE, "2026-12-01T00:00", (2026, 11, 30)),
    ],
)
def test_last_complete_day_depends_on_the_kind(kind: AssetKind, now: str, newest: tuple[int, int, int]):
    """FX and futures have no bar of Sunday, and a fund's bar is final in the following night (D14)."""
    assert KINDS[kind].hours.last_complete_day(unix(now)) == (date(*newest) - date(1970, 1, 1)).days


@given(st.sampled_from(HOURS), st.floats(1e9, 2e9), st.floats(0, 10 * DAY))
def test_last_complete_day_never_goes_back(hours: MarketHours, now: float, later: float):
    """The newest complete day is in the past, at most four days ago, and never moves back."""
    newest = hours.last_complete_day(now)
    assert 1 <= now // DAY - newest <= 4
    assert newest <= hours.last_complete_day(now + later)
