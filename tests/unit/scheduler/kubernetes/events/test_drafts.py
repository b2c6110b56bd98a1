"""Event drafts: which changes get an Event, and with which message."""

from datetime import UTC, datetime
from typing import Any

import pytest

from financehub_scheduler.kubernetes.events.drafts import from_backfill, from_enqueue_outcome, from_status
from financehub_scheduler.kubernetes.observed_status import ConditionDigest
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission
from support.schedules import schedule

DEMO = schedule(maxQueueDepth=50, maxRuns=3, startingDeadlineSeconds=60)
WHEN = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "options", "outcome", "reason", "words"),
    [
        ("annotation", {"fence": "x"}, EnqueueOutcome.ENQUEUED, "Triggered", "was requested by the trigger annotation"),
        ("request", {"fence": "x"}, EnqueueOutcome.ENQUEUED, "Triggered", "was requested on the command line"),
        ("due", {}, EnqueueOutcome.OVERLAP, "Skipped", "still queued, running or retrying (concurrencyPolicy Forbid)"),
        ("due", {}, EnqueueOutcome.BACKLOG, "Skipped", "queue q holds more than 50 messages"),
        ("request", {"refused": "unknown symbol 'X'"}, EnqueueOutcome.REFUSED, "Skipped", "unknown symbol 'X'"),
        ("due", {}, EnqueueOutcome.EXHAUSTED, "Exhausted", "all 3 runs have been enqueued"),
        ("due", {"missed": 7}, EnqueueOutcome.ENQUEUED, "Missed", "7 due times were missed, too late to run (catchUp "),
        ("due", {"missed": 1}, EnqueueOutcome.MISSED, "Missed", "1 due time was missed"),
    ],
)
def test_enqueue_outcome_of_interest_to_the_user_has_an_event(
    kind: Any, options: dict[str, Any], outcome: EnqueueOutcome, reason: str, words: str
) -> None:
    """Triggers, skips, misses and the end of a schedule get one Event each, with the cause."""
    (draft,) = from_enqueue_outcome(RunSubmission(DEMO, kind, 60.0, **options), outcome)
    assert draft.reason == reason
    assert words in draft.message


@pytest.mark.parametrize(
    ("kind", "depth", "cause"),
    [
        ("due", None, "this schedule has too many unfinished runs (FINANCEHUB_MAX_BACKLOG)"),
        ("request", 9, "this schedule has too many unfinished runs (FINANCEHUB_MAX_BACKLOG)"),
        ("due", 9, "queue q holds more than 9 messages (maxQueueDepth), or this schedule has too many unfinished runs"),
    ],
)
def test_enqueue_outcome_backlog_names_the_limits_that_apply(kind: Any, depth: int | None, cause: str) -> None:
    """With maxQueueDepth, which triggers ignore, either limit may have been reached, and without it only one."""
    run = RunSubmission(schedule(maxQueueDepth=depth), kind, 60.0, fence="x" if kind == "request" else "")
    (draft,) = from_enqueue_outcome(run, EnqueueOutcome.BACKLOG)
    assert draft.message == f"a run was skipped: {cause}"


@pytest.mark.parametrize(
    ("depth", "words"), [(None, "one (FINANCEHUB_MAX_BACKLOG)"), (5, "queue q holds more than 5 ")]
)
def test_enqueue_outcome_backlog_under_buffer_all_names_waiting_runs(depth: int | None, words: str) -> None:
    """Under BufferAll, runs that wait reach the limit, and not runs that are in the queue."""
    demo = schedule(concurrencyPolicy="BufferAll", maxQueueDepth=depth)
    (draft,) = from_enqueue_outcome(RunSubmission(demo, "due", 1_800_000_000), EnqueueOutcome.BACKLOG)
    assert "too many runs of this schedule wait for the previous one" in draft.message
    assert words in draft.message


@pytest.mark.parametrize("kind", ["due", "buffered", "backfill"])
@pytest.mark.parametrize(
    "outcome",
    [
        EnqueueOutcome.ENQUEUED,
        EnqueueOutcome.ALREADY,
        EnqueueOutcome.WAIT,
        EnqueueOutcome.BUFFERED,
        EnqueueOutcome.UNKNOWN,
        EnqueueOutcome.CHANGED,
        EnqueueOutcome.DELETED,
    ],
)
def test_enqueue_outcome_of_normal_run_has_no_event(kind: Any, outcome: EnqueueOutcome) -> None:
    """A normal run gets no Event, and neither do outcomes that only matter among schedulers."""
    run = RunSubmission(DEMO, kind, 60.0, fence="x" if kind == "backfill" else "")
    assert from_enqueue_outcome(run, outcome) == []


@pytest.mark.parametrize("outcome", [EnqueueOutcome.ALREADY, EnqueueOutcome.MOVED])
def test_enqueue_outcome_of_slower_scheduler_has_no_missed_event(outcome: EnqueueOutcome) -> None:
    """A scheduler that was too late, or planned with an old high-water mark, has not missed any due time."""
    assert from_enqueue_outcome(RunSubmission(DEMO, "due", 60.0, missed=7), outcome) == []


def test_backfill_has_an_event_per_change() -> None:
    """A backfill gets an Event when it starts, finishes or is refused, with its size or the cause."""
    assert from_backfill("started", "6 runs")[1:] == ("BackfillStarted", "6 runs")
    assert from_backfill("finished", "").reason == "BackfillFinished"
    assert from_backfill("refused", "too much")[1:] == ("BackfillRefused", "too much")


def status(outcome: str = "succeeded", ready: str = "True", reason: str = "Scheduled") -> dict[str, Any]:
    """Return the status fields that Events depend on."""
    return {
        "lastRun": {"id": "r1", "outcome": outcome, "error": "boom"},
        "conditions": [
            {"type": "Ready", "status": ready, "reason": reason, "message": "why", "observedGeneration": 2},
            {"type": "Failing", "status": "True", "reason": "RunFailed", "message": "boom", "observedGeneration": 2},
        ],
    }


@pytest.mark.parametrize("outcome", ["dead-lettered", "lost"])
def test_status_with_failed_run_has_an_event_if_the_run_is_new(outcome: str) -> None:
    """A failed run gets an Event when its status is first written, and none when the status is written again."""
    (draft,) = from_status(status(outcome), (), has_new_run=True)
    assert (draft.reason, draft.message) == ("Failed", f"run r1 was {outcome}: boom")
    assert from_status(status(outcome), (), has_new_run=False) == []


@pytest.mark.parametrize("outcome", ["succeeded", "skipped"])
def test_status_with_successful_run_has_no_event(outcome: str) -> None:
    """A run that succeeded, or that its worker skipped because it was too old, gets no Event."""
    assert from_status(status(outcome), (), has_new_run=True) == []


def test_status_with_refused_spec_has_one_event_per_generation() -> None:
    """A refused spec gets one Event, and another one after an edit that did not fix it."""
    refused = status(ready="False", reason="Invalid")
    (draft,) = from_status(refused, (), has_new_run=False)
    assert draft == ("Warning", "Invalid", "why")
    assert from_status(refused, [ConditionDigest("Ready", "False", 2, WHEN)], has_new_run=False) == []
    assert len(from_status(refused, [ConditionDigest("Ready", "False", 1, WHEN)], has_new_run=False)) == 1


@pytest.mark.parametrize(
    ("before", "number"),
    [
        pytest.param([], 1, id="first status"),
        pytest.param([ConditionDigest("Suspended", "False", 2, WHEN)], 1, id="transition"),
        pytest.param([ConditionDigest("Suspended", "False", 1, WHEN)], 1, id="transition with an edit"),
        pytest.param([ConditionDigest("Suspended", "True", 2, WHEN)], 0, id="known"),
        pytest.param([ConditionDigest("Suspended", "True", 1, WHEN)], 0, id="known before an edit"),
    ],
)
def test_status_with_pause_after_failures_has_one_warning(before: list[ConditionDigest], number: int) -> None:
    """The pause is one Event, also if the spec is edited while it lasts."""
    condition = {"type": "Suspended", "status": "True", "observedGeneration": 2, "message": "paused after failures: no"}
    conditions = {"conditions": [condition | {"reason": "PausedAfterFailures"}]}
    expected = [("Warning", "PausedAfterFailures", "paused after failures: no")]
    assert from_status(conditions, before, has_new_run=False) == expected * number
    assert from_status({"conditions": [condition | {"reason": "Paused"}]}, before, has_new_run=False) == []
