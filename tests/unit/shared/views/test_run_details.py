"""Tests of the timeline of a run."""

from dataclasses import replace
from typing import Any

import pytest

from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.views.run_details import run_detail_view, run_timeline

T = 1_800_000_000.0
ENDED = RunRecord(
    "m",
    "task",
    "high",
    RunState.SUCCEEDED,
    due_at=T,
    enqueued_at=T + 0.25,
    started_at=T + 1,
    finished_at=T + 3.5,
    duration=2.5,
    attempts=1,
    redis_id="letter",
)
FAILURES = [
    {"at": T + 2, "exception": "ValueError", "error": "one"},
    {"at": T + 9, "exception": "KeyError", "error": ""},
]


def letter(message_id: str = "m") -> DeadLetter:
    """Return the dead letter of a run with two failed attempts."""
    texts: Any = ("retries-exhausted", "KeyError", "", "")
    return DeadLetter("letter", "high", "task", (1,), {}, message_id, *texts, 2, FAILURES, T, T + 9.1)


def steps(run: RunRecord, dead: DeadLetter | None = None) -> list[tuple[str, float | None, str]]:
    """Return step, seconds and detail of each step of the timeline."""
    return [(each["step"], each["seconds"], each["detail"]) for each in run_timeline(run, dead)]


def test_timeline_of_a_scheduled_run_has_each_step_with_the_time_since_the_previous_one() -> None:
    """A run that succeeded was due, enqueued, started and ended, in this order."""
    assert steps(ENDED) == [
        ("due", None, ""),
        ("enqueued", 0.25, ""),
        ("attempt started", 0.75, "attempt 1"),
        ("succeeded", 2.5, ""),
    ]
    assert run_timeline(ENDED)[0]["at"] == "2027-01-15T08:00:00.000Z"


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"state": RunState.RUNNING, "attempts": 3}, "attempt started"),
        ({"state": RunState.RETRYING, "error": "ValueError: one"}, "attempt failed"),
        ({"state": RunState.LOST, "error": "its worker died"}, "lost"),
        ({"state": RunState.QUEUED, "started_at": None, "finished_at": None}, "enqueued"),
    ],
)
def test_timeline_ends_with_what_happened_last(changes: dict[str, Any], last: str) -> None:
    """A run in progress has no end, also if an earlier attempt has one. A run that waits ends with its failure."""
    assert steps(replace(ENDED, **changes))[-1][0] == last


def test_timeline_of_a_run_without_times_is_empty() -> None:
    """A record without times, such as that of a run that is not stored yet, has no steps."""
    assert steps(RunRecord("m", "task", "high", RunState.QUEUED)) == []


def test_timeline_with_a_dead_letter_has_all_failed_attempts() -> None:
    """The attempts before the newest one are known only from the dead letter."""
    run = replace(
        ENDED, state=RunState.DEAD_LETTERED, attempts=2, started_at=T + 8, finished_at=T + 9, error="KeyError"
    )
    assert steps(run, letter()) == [
        ("due", None, ""),
        ("enqueued", 0.25, ""),
        ("attempt failed", 1.75, "ValueError: one"),
        ("attempt started", 6.0, "attempt 2"),
        ("attempt failed", 1.0, "KeyError"),
        ("dead-lettered", 0.0, "KeyError"),
    ]
    view = run_detail_view(run, letter())
    assert view["dead_letter"] is not None
    assert view["dead_letter"]["args"] == [1]


def test_detail_view_ignores_the_dead_letter_of_another_message() -> None:
    """An id in Redis can be used again by another message, whose letter does not belong to the run."""
    view = run_detail_view(ENDED, letter("other"))
    assert (view["dead_letter"], len(view["timeline"])) == (None, 4)


def test_timeline_with_rounded_times_keeps_the_order_of_the_steps() -> None:
    """The time of a failure is in whole milliseconds, which can be before the start of a short attempt."""
    at = T + 8.0004
    run = replace(ENDED, state=RunState.DEAD_LETTERED, attempts=1, started_at=at, finished_at=at)
    failures = ({"at": T + 8, "exception": "ValueError", "error": "no"},)
    names = [(step, seconds) for step, seconds, _ in steps(run, replace(letter(), failures=failures))[2:]]
    assert names == [("attempt started", 7.75), ("attempt failed", 0.0), ("dead-lettered", 0.0)]
