"""What is worth an Event."""

from datetime import UTC, datetime
from typing import Any

import pytest

from financehub_scheduler.kubernetes.events.drafts import of_backfill, of_status, of_verdict
from financehub_scheduler.kubernetes.observed_status import Standing
from financehub_scheduler.redis.enqueuer import Run
from support.schedules import schedule

DEMO = schedule(maxQueueDepth=50, maxRuns=3, startingDeadlineSeconds=60)
WHEN = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "more", "verdict", "reason", "words"),
    [
        ("annotation", {"fence": "x"}, "enqueued", "Triggered", "by its annotation"),
        ("request", {"fence": "x"}, "enqueued", "Triggered", "by the command line"),
        ("due", {}, "overlap", "Skipped", "still queued, running or retrying (concurrencyPolicy Forbid)"),
        ("due", {}, "backlog", "Skipped", "queue q holds more than 50 messages"),
        ("request", {"refused": "unknown symbol 'X'"}, "refused", "Skipped", "unknown symbol 'X'"),
        ("due", {}, "exhausted", "Exhausted", "all of its 3 runs"),
        ("due", {"missed": 7}, "enqueued", "Missed", "7 due times were too late and given up (catchUp Latest, st"),
        ("due", {"missed": 1}, "missed", "Missed", "1 due time was"),
    ],
)
def test_what_a_user_would_want_to_know_is_told(
    kind: str, more: dict[str, Any], verdict: str, reason: str, words: str
) -> None:
    """Triggers, skips, misses and the end of a schedule are one Event each, which says why."""
    (told,) = of_verdict(Run(DEMO, kind, 60.0, **more), verdict)
    assert told.reason == reason
    assert words in told.message


@pytest.mark.parametrize("kind", ["due", "buffered", "backfill"])
@pytest.mark.parametrize("verdict", ["enqueued", "already", "wait", "buffered", "unknown", "changed", "deleted"])
def test_a_normal_run_is_none(kind: str, verdict: str) -> None:
    """A run that goes as planned, and what schedulers settle among themselves, is no Event."""
    assert of_verdict(Run(DEMO, kind, 60.0, fence="x" if kind == "backfill" else ""), verdict) == []


@pytest.mark.parametrize("verdict", ["already", "moved:60000"])
def test_misses_are_told_by_the_scheduler_that_counted_them(verdict: str) -> None:
    """One that came too late, or planned with an old mark, has given up nothing."""
    assert of_verdict(Run(DEMO, "due", 60.0, missed=7), verdict) == []


def test_a_backfill_is_told() -> None:
    """Started, with its size; finished; or refused, with the reason."""
    assert of_backfill("started", "6 runs")[1:] == ("BackfillStarted", "6 runs")
    assert of_backfill("finished", "").reason == "BackfillFinished"
    assert of_backfill("refused", "too much")[1:] == ("BackfillRefused", "too much")


def status(outcome: str = "succeeded", ready: str = "True", reason: str = "Scheduled") -> dict[str, Any]:
    """A status as far as Events look at it."""
    return {
        "lastRun": {"id": "r1", "outcome": outcome, "error": "boom"},
        "conditions": [
            {"type": "Ready", "status": ready, "reason": reason, "message": "why", "observedGeneration": 2},
            {"type": "Failing", "status": "True", "reason": "RunFailed", "message": "boom", "observedGeneration": 2},
        ],
    }


@pytest.mark.parametrize("outcome", ["dead-lettered", "lost"])
def test_a_failed_run_is_told_once(outcome: str) -> None:
    """A run that failed for good is an Event when it is news, and none when the status is written again."""
    (told,) = of_status(status(outcome), (), fresh=True)
    assert (told.reason, told.message) == ("Failed", f"run r1 was {outcome}: boom")
    assert of_status(status(outcome), (), fresh=False) == []


@pytest.mark.parametrize("outcome", ["succeeded", "skipped"])
def test_a_run_that_ended_well_is_none(outcome: str) -> None:
    """A run that succeeded, or that its worker left out because it was too old, is no Event."""
    assert of_status(status(outcome), (), fresh=True) == []


def test_a_refusal_is_told_once_per_generation() -> None:
    """A spec that does not run is an Event when it is first seen so, and again when an edit did not mend it."""
    refused = status(ready="False", reason="Invalid")
    (told,) = of_status(refused, (), fresh=False)
    assert told == ("Warning", "Invalid", "why")
    assert of_status(refused, [Standing("Ready", "False", 2, WHEN)], fresh=False) == []
    assert len(of_status(refused, [Standing("Ready", "False", 1, WHEN)], fresh=False)) == 1
