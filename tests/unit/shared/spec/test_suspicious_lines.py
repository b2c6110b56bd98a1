"""The patterns of suspicious lines say what the parser of cron expressions reads."""

import re

import pytest

from financehub_shared.recurrence.cron_fields import parse_fields
from financehub_shared.spec.suspicious_lines import LONG_STEP

#: Place of a field → its first and its last value.
FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("entry", ["*/{}", "*/00{}", "{first}/{}", "{first}-{last}/{}", "{first},{first}/{}"])
def test_long_step_pattern_knows_each_step_with_which_one_value_matches(place: int, entry: str) -> None:
    """A step of a field is too long if it leaves a single value, in expressions with five and with six fields."""
    first, last = FIELDS[place]
    for step in (*range(1, 135), 600, 1000, 3131):
        fields = ["*"] * 6
        fields[place] = entry.format(step, first=first, last=last)
        has_one_value = len(range(first, last + 1, step)) == 1
        for text in [" ".join(fields)] + [" ".join(fields[1:])] * (place > 0):
            assert bool(re.search(LONG_STEP, text)) == has_one_value, text
            parse_fields(text, "Any")
