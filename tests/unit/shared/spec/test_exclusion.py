"""Dates and times of an exclusion that are refused, and what their messages say to write."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from financehub_shared.spec.exclusion import ClockText, DatesText

_CLOCK: TypeAdapter[str] = TypeAdapter(ClockText)
_DATES: TypeAdapter[str] = TypeAdapter(DatesText)
_GENERIC = 'one that exists, like "2026-12-24", "12-25" or "2026-12-24/2027-01-02"'
_BOTH = 'both years, such as "2026-12-24/2027-01-02"'


def fix(adapter: TypeAdapter[str], text: str) -> str:
    """Return what the message of a refused text says to write."""
    with pytest.raises(ValidationError) as error:
        adapter.validate_python(text)
    (details,) = error.value.errors()
    assert repr(text) in details["msg"]
    return details["msg"].partition("; write ")[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12-24/01-02", _BOTH),
        ("24.12./26.12.", _BOTH),
        ("2026-12-24/12-26", 'both years: "2026-12-24/2026-12-26"'),
        ("2026-12-24/01-02", 'both years: "2026-12-24/2027-01-02"'),
        ("12-24/2027-01-02", 'both years: "2026-12-24/2027-01-02"'),
        ("2026-12-24 / 2026-12-26", '"2026-12-24/2026-12-26"'),
        ("2026-12-24 - 2026-12-26", '"2026-12-24/2026-12-26"'),
        ("2026-12-24-2026-12-26", '"2026-12-24/2026-12-26"'),
        ("2026-12-24..2026-12-26", '"2026-12-24/2026-12-26"'),
        ("2026-12-24 to 2026-12-26", '"2026-12-24/2026-12-26"'),
        ("24.12.", '"12-24"'),
        ("24.12", '"12-24"'),
        ("24.12.2026", '"2026-12-24"'),
        ("12-5", '"12-05"'),
        ("1-5", '"01-05"'),
        ("--12-25", '"12-25"'),
        (" 12-25", '"12-25"'),
        ("2026-1-5", '"2026-01-05"'),
        ("2026/12/24", '"2026-12-24"'),
        ("20261224", '"2026-12-24"'),
        ("2026-12-24T00:00", '"2026-12-24"'),
        ("2026-02-30", _GENERIC),
        ("02-30", _GENERIC),
        ("12-24/2027-02-30", _GENERIC),
        ("02-29/2027-03-02", _GENERIC),
        ("2027-01-02 / 2026-12-24", _GENERIC),
        ("Christmas", _GENERIC),
        ("", _GENERIC),
        ("2026-01-01/2026-01-02/2026-01-03", _GENERIC),
        ("9999-01-01", _GENERIC),
    ],
)
def test_dates_in_another_notation_say_what_to_write(text: str, expected: str):
    """A refused date is proposed in our notation if it is clear which day is meant."""
    assert fix(_DATES, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24:00", '"00:00"'),
        ("9:00", '"09:00"'),
        ("0900", '"09:00"'),
        ("900", '"09:00"'),
        ("9", '"09:00"'),
        ("9am", '"09:00"'),
        ("12 AM", '"00:00"'),
        ("12pm", '"12:00"'),
        ("9:30 pm", '"21:30"'),
        ("22h30", '"22:30"'),
        ("06:00:00", '"06:00"'),
        ("24:30", 'hours and minutes from "00:00" to "23:59"'),
        ("09:60", 'hours and minutes from "00:00" to "23:59"'),
        ("13pm", 'hours and minutes from "00:00" to "23:59"'),
        ("-1:00", 'hours and minutes from "00:00" to "23:59"'),
        ("noon", 'hours and minutes from "00:00" to "23:59"'),
        ("", 'hours and minutes from "00:00" to "23:59"'),
    ],
)
def test_time_in_another_notation_says_what_to_write(text: str, expected: str):
    """A refused time is proposed in our notation if it is clear which one is meant."""
    assert fix(_CLOCK, text) == expected


@given(
    st.dates(date(1000, 1, 1), date(2999, 12, 31)),
    st.dates(date(1000, 1, 1), date(2999, 12, 31)),
    st.sampled_from(["{0.year}-{0.month}-{0.day}", "{0.day}.{0.month}.{0.year}", "{0.year}.{0.month:02}.{0.day:02}"]),
    st.sampled_from([" / ", " - ", "..", " to ", "\u2013"]),
)
def test_proposals_for_any_range_are_valid_and_mean_the_same_days(first: date, last: date, form: str, separator: str):
    """Every proposal is accepted, and has the days of the text."""
    first, last = sorted((first, last))
    assert fix(_DATES, form.format(first) + separator + form.format(last)) == f'"{first}/{last}"'
    assert _DATES.validate_python(f"{first}/{last}")


@given(st.text(alphabet="0123456789-./ T:apm", max_size=12))
def test_every_proposal_for_a_random_text_is_accepted(text: str):
    """No message proposes a value that is refused afterwards."""
    for adapter in (_CLOCK, _DATES):
        try:
            adapter.validate_python(text)
        except ValidationError:
            proposal = fix(adapter, text)
            if proposal.startswith(('"', "both years: ")):
                assert adapter.validate_python(proposal.partition('"')[2].rstrip('"'))


def test_long_text_is_refused_because_of_its_length():
    """A long text is not quoted in the message."""
    with pytest.raises(ValidationError, match="at most 21"):
        _DATES.validate_python("2026-12-24 " * 20)
