"""Descriptions that `kubectl explain` shows say the same as the code and docs/schedules.md."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from financehub_shared.recurrence.build import build_recurrence
from financehub_shared.spec.task_spec import ScheduledTaskSpec

_PAGE = " ".join((Path(__file__).parents[4] / "docs" / "schedules.md").read_text(encoding="utf-8").split())
_ZONE = "America/New_York"


def description(field: str) -> str:
    return str(ScheduledTaskSpec.model_fields[field].description)


def local_times(line: str, day: str) -> list[str]:
    """Return the local times from 01:00 to 03:59 at which a line is due on a day in New York."""
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(_ZONE)).astimezone(UTC).timestamp()
    due = build_recurrence("uid", [line], time_zone=_ZONE).due_times(begin - 1, begin + 6 * 3_600)
    times = [f"{datetime.fromtimestamp(at, ZoneInfo(_ZONE)):%H:%M}" for at in due]
    return [time for time in times if "01:00" <= time < "04:00"]


@pytest.mark.parametrize(
    ("line", "spring", "autumn"),
    [
        ("30 * * * *", ["01:30", "03:30"], ["01:30", "01:30", "02:30", "03:30"]),
        ("*/30 1-2 * * *", ["01:00", "01:30"], ["01:00", "01:30", "01:00", "01:30", "02:00", "02:30"]),
        ("30 1,2 * * *", ["01:30", "03:00"], ["01:30", "02:30"]),
    ],
)
def test_description_of_time_zone_says_what_happens_when_the_clock_changes(
    line: str, spring: list[str], autumn: list[str]
):
    """With `*` a skipped hour adds nothing and a repeated one counts twice; otherwise each time is due once."""
    assert (local_times(line, "2027-03-14"), local_times(line, "2027-11-07")) == (spring, autumn)
    text = description("time_zone")
    assert "begins with `*`, a skipped hour adds no due times" in text
    assert "repeated hour has them in both passes" in text
    assert "Otherwise, a skipped time is due at the end of the gap, and a repeated time is due once." in text


def test_description_of_the_time_limit_and_the_page_say_that_it_interrupts():
    """Both name the exception, which is an integration test's subject in tests/integration/broker/test_actors.py."""
    for text in (description("time_limit_seconds"), _PAGE):
        assert "TimeLimitExceeded" in text
        assert "t counts as failed, and is retried" in text
    assert "never interrupted" not in _PAGE
