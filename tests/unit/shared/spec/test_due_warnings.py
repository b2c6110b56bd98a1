"""A valid document of which nothing is due has a warning that says why."""

from datetime import datetime
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financehub_shared.spec.inspection import Inspection, inspect_file
from support.schedules import resource

NOW = datetime.fromisoformat("2026-12-22T12:00:00+00:00").timestamp()
LINES = (
    "0 9 24 12 *",
    "0 3 * * *",
    "@every 1h",
    "@every 300d",
    "@yearly",
    "@open",
    "@close",
    "0 15 29 2 *",
    "0 9 L 1 *",
)
TIMES = (
    None,
    "2020-01-01",
    "2026-12-01",
    "2026-12-22",
    "2026-12-24",
    "2027-01-02",
    "2031-12-31",
    "2033-01-01",
    "2041-06-01",
)
EXCLUSIONS: tuple[list[Any], ...] = (
    [],
    [{"weekdays": ["THU"]}],
    [{"holidays": "XNYS"}],
    [{"holidays": "XBOM"}, {"from": "02:00", "to": "10:00"}],
)


def inspect(**spec: Any) -> Inspection:
    spec |= {"timeZone": "America/New_York"}
    (found,) = inspect_file("x.yaml", yaml.safe_dump(resource(**spec)), NOW)
    return found


@given(
    st.lists(st.sampled_from(LINES), min_size=1, max_size=3, unique=True),
    st.sampled_from(TIMES),
    st.sampled_from(TIMES),
    st.sampled_from((None, "XNYS", "XSHG", "FX")),
    st.sampled_from(EXCLUSIONS),
)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_each_valid_document_has_a_due_time_or_a_warning(
    lines: list[str], start: str | None, end: str | None, calendar: str | None, exclude: list[Any]
) -> None:
    """Whatever bounds, calendar and exclusions do, validate never says only that a document is valid."""
    times = {name: f"{day}T00:00:00Z" for name, day in (("startTime", start), ("endTime", end)) if day}
    found = inspect(schedules=lines, exclude=exclude, **({"calendar": calendar} if calendar else {}), **times)
    assert found.mistakes or found.next_times or found.warnings
    for warning in found.warnings:
        assert any(word in warning for word in ("write", "change", "remove", "install")), warning


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"schedule": "@daily", "endTime": "2026-12-01T00:00:00Z"},
            "spec.endTime: 2026-12-01T00:00:00+00:00 is in the past, so nothing is due any more; write a later time",
        ),
        (
            {"schedule": "0 9 24 12 *", "endTime": "2026-12-23T00:00:00Z"},
            "'0 9 24 12 *' has no due time until endTime 2026-12-23T00:00:00+00:00; write a later endTime, or change",
        ),
        (
            {"schedule": "@yearly", "startTime": "2027-02-01T00:00:00Z", "endTime": "2027-03-01T00:00:00Z"},
            "'@yearly' has no due time between startTime 2027-02-01T00:00:00+00:00 and endTime 2027-03-01T00:00:00",
        ),
        (
            {"schedule": "0 12 * * *", "calendar": "XNYS", "startTime": "2033-01-01T00:00:00Z"},
            "spec.startTime: 2033-01-01T00:00:00+00:00 is too late, because calendar XNYS is known until 2032-01-01",
        ),
        (
            {"schedule": "@daily", "exclude": [{"holidays": "XNYS"}], "startTime": "2041-01-01T00:00:00Z"},
            "spec.startTime: 2041-01-01T00:00:00+00:00 is too late, because calendar XNYS is known until 2032-01-01",
        ),
        (
            {"schedule": "@daily", "exclude": [{"holidays": "XBOM"}]},
            "calendar XBOM is known until 2026-12-31, and nothing is due after that; install a release",
        ),
    ],
)
def test_warning_says_why_nothing_is_due(spec: dict[str, Any], words: str) -> None:
    """The sentence has the field or the line, the time that bounds it, and what to write."""
    (warning,) = inspect(**spec).warnings
    assert words in warning


def test_only_the_line_that_is_not_due_is_named() -> None:
    """Another line of the same schedule that is due causes no warning."""
    found = inspect(schedules=["@every 1h", "0 9 24 12 *"], endTime="2026-12-23T00:00:00Z")
    assert len(found.next_times) == 3
    (warning,) = found.warnings
    assert warning.startswith("spec.schedule: '0 9 24 12 *' has no due time until endTime")


def test_suspended_schedule_and_follower_have_no_such_warning() -> None:
    """A follower has no due times to look for."""
    assert inspect(after="another").warnings == ()
    assert inspect(schedule="@hourly", suspend=True).warnings == ()
