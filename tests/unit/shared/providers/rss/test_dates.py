"""Tests of dates in feeds: forms, time zones and impossible values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.providers.rss.dates import parse_date

SEVEN = datetime(2027, 1, 15, 7, tzinfo=UTC).timestamp()
HOUR = 3_600


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        *[(name, 0) for name in ("GMT", "UTC", "UT", "Z", "WET", "", "+0000", "-0000", "XYZ", "America/Argentina")],
        *[(name, 1) for name in ("CET", "MET", "MEZ", "BST", "WEST", "WAT", "GMT+1", "UTC+01:00", "Europe/Berlin")],
        *[(name, 2) for name in ("CEST", "MESZ", "EET", "SAST", "CAT")],
        *[(name, 3) for name in ("EEST", "MSK", "TRT", "EAT", "IDT", "UTC+3", "+03")],
        *[(name, 4) for name in ("GST", "GMT+0400")],
        *[(name, 5.5) for name in ("IST", "+0530", "+05:30", "GMT+5:30", "+530", "GMT +05:30")],
        *[(name, 8) for name in ("SGT", "HKT", "MYT", "PHT", "AWST")],
        *[(name, 9) for name in ("JST", "KST")],
        *[(name, 10) for name in ("AEST", "+1000")],
        *[(name, 11) for name in ("AEDT",)],
        *[(name, 12) for name in ("NZST",)],
        *[(name, 13) for name in ("NZDT",)],
        *[(name, -3.5) for name in ("NST", "-0330", "\u221203:30")],
        *[(name, -4) for name in ("EDT", "AST")],
        *[(name, -5) for name in ("EST", "CDT", "ET", "-0500 (EST)", "EST -0500", "America/New_York")],
        *[(name, -6) for name in ("CST", "MDT", "CT")],
        *[(name, -8) for name in ("PST", "PT", "pst", "AKDT")],
    ],
)
def test_date_with_a_zone_has_its_offset(zone: str, hours: float):
    """N10: zones by name, by offset and by both have the right offset. Unknown ones count as UTC (F10, F11)."""
    assert parse_date(f"Fri, 15 Jan 2027 07:00:00 {zone}") == SEVEN - hours * HOUR
    assert parse_date(f"2027-01-15 07:00:00 {zone}") == SEVEN - hours * HOUR


def test_zone_without_a_season_follows_the_date():
    """N10: ET is EDT in summer and EST in winter."""
    assert parse_date("Jul 15, 2026 7:00 a.m. ET") == parse_date("Wed, 15 Jul 2026 07:00:00 EDT")
    assert parse_date("Jan 15, 2027 7:00 a.m. ET") == parse_date("Fri, 15 Jan 2027 07:00:00 EST")


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 15 Jan 2027 07:00:00 GMT",
        "Friday, 15 January 2027 07:00:00 GMT",
        "15 Jan 27 07:00 GMT",
        "15-Jan-2027 07:00",
        "Fri Jan 15 07:00:00 2027",
        "Fri Jan 15 02:00:00 EST 2027",
        "Fri Jan 15 02:00:00 2027 EST",
        "January 15, 2027 7:00 AM",
        "Jan 15th, 2027 - 07:00 a.m.",
        "2027 Jan 15 07:00",
        "07:00 15 Jan 2027",
        "Fri, 15 Jan 2027 12:30:00 +0530 (IST)",
        "2027-01-15T07:00:00Z",
        "2027-01-15T07:00:00.123456Z",
        "2027-01-15T07:00",
        "2027-1-15 07:00:00",
        "2027-01-15T12:30:00+0530",
        "2027-01-15T12:30:00+05:30",
        "  Fri, 15 Jan 2027 07:00:00 GMT\n",
        "2027/01/15 07:00:00",
        "2027.1.15 07:00",
        "2027年1月15日 07:00",
        "20270115T070000Z",
        "20270115070000",
        "15.01.2027 07:00",
        "15/01/2027 07:00",
        "01/15/2027 7:00 AM",
        "15-01-2027, 07:00",
        f"{SEVEN:.0f}",
        f"{SEVEN:.0f}123",
        "Marketwatch, 15 Jan 2027 07:00",
        "Fr., 15. Januar 2027, 07:00 Uhr",
        "ven., 15 janvier 2027 à 07:00",
        "vie, 15 ene 2027 08:00:00 +0100",
        "15 de janeiro de 2027 07:00",
        "Пт, 15 января 2027 10:00 MSK",
    ],
)
def test_date_in_a_usual_form_is_read(text: str):
    """Every usual form of a date leads to the same time."""
    assert parse_date(text) == SEVEN


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "gestern", "Fri, 45 Jan 2027 07:00:00 GMT", "Fri, 15 Jan 2027 27:00:00 GMT"),
        *("Fri, 15 Jan 2027 07:61:00 GMT", "2027-13-01T00:00:00Z", "15 Jan", "Jan 2027 07:00", "0000-00-00 00:00:00"),
        *("01/02/2027", "mar, 5 xyz 2027", "2027-W02-5", "2027-015", "99999999T000000"),
        *("15 Jan 2027 13:00 pm", "1:" * 2_000, "9" * 2_000, "30 Feb 2027"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-05:00"),
    ],
)
def test_date_that_does_not_exist_is_refused(text: str):
    """A date that is impossible, in an unknown language, or could be one of two days is not guessed (F13)."""
    assert parse_date(text) is None


@pytest.mark.parametrize("tuesday", ["mar, 6 oct", "mar. 6 oct.", "mar, 06 ottobre", "mar 6 octobre", "Mar, 6 Oct"])
def test_day_of_the_week_is_not_the_month(tuesday: str):
    """`mar` is Tuesday in French, Spanish and Italian, and March in English. The month is next to the day."""
    assert parse_date(f"{tuesday} 2026 07:00") == parse_date("2026-10-06T07:00:00Z")
    assert (
        parse_date("Mar 6, 2026")
        == parse_date("mar, 6 mar 2026")
        == parse_date("vr 6 mrt. 2026")
        == parse_date("2026-03-06")
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("Fri, 15 Jan 2027 24:00:00 GMT", 17 * HOUR), ("Fri, 15 Jan 2027 06:59:60 GMT", 0), ("15 Jan 2027", -7 * HOUR)],
    ids=["end of a day", "leap second", "day only"],
)
def test_date_with_an_unusual_time_is_read(text: str, seconds: float):
    """The end of a day, a leap second and a day without a time are read."""
    assert parse_date(text) == SEVEN + seconds


@given(st.integers(40_000_000, 2_100_000_000), st.integers(-14 * 4, 14 * 4))
def test_date_with_an_offset_is_read_back(seconds: int, quarters: int):
    """Any time is read as it was written, with any offset that is a multiple of 15 minutes."""
    at = datetime.fromtimestamp(seconds, timezone(timedelta(minutes=15 * quarters)))
    for text in (at.strftime("%a, %d %b %Y %H:%M:%S %z"), at.isoformat(), at.strftime("%B %d, %Y %I:%M:%S %p GMT%z")):
        assert parse_date(text) == seconds


@given(st.text(st.sampled_from("0123456789:-+ TZJanFrie,./GMT()"), max_size=60))
def test_date_of_any_text_is_a_number_or_nothing(text: str):
    """No text leads to an exception."""
    parse_date(text)
