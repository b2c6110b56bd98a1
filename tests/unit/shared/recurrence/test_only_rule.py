"""A recurrence with one rule and no calendar finds its next due time without a search."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import Rule, parse_rule
from financehub_shared.recurrence.search import Steps

_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
_RULES: list[Rule] = [
    parse_rule(text, ZoneInfo(zone), 0)
    for zone in _ZONES
    for text in ("@every 20s", "@every 7h offset 3h", "*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "30 1 L * *")
]
_FIRST, _LAST = datetime(2020, 1, 1, tzinfo=UTC).timestamp(), datetime(2030, 1, 1, tzinfo=UTC).timestamp()
_TIMES = st.floats(_FIRST, _LAST)


@given(
    rule=st.sampled_from(_RULES),
    time=_TIMES,
    start=st.none() | _TIMES | _TIMES.map(round),
    end=st.none() | _TIMES | _TIMES.map(round),
)
def test_next_due_time_is_that_of_a_search(rule: Rule, time: float, start: float | None, end: float | None):
    """The next due time does not depend on the way in which it is found, whatever the rule and the limits are."""
    recurrence = Recurrence((rule,), start=start, end=end)
    assert recurrence._only is rule
    assert recurrence.next_after(time) == next(recurrence._search(time, 9e12, Steps()), None)


@pytest.mark.parametrize("time", [float("-inf"), -1e300, 1e300, float("inf")])
@pytest.mark.parametrize("rule", _RULES[:3])
def test_time_far_outside_of_the_dates_is_no_error(rule: Rule, time: float):
    """Before the first date, the first due time is found, and after the last one, there is none."""
    recurrence = Recurrence((rule,))
    assert recurrence.next_after(time) == next(recurrence._search(time, 9e12, Steps()), None)
    assert (recurrence.next_after(time) is None) == (time > 0)


def test_several_rules_are_searched():
    """The union of rules needs the search."""
    assert Recurrence((_RULES[0], _RULES[2]))._only is None
