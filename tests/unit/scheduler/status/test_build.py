"""The status that follows from what is known; more of it with real components in tests/integration/operator."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from financehub_scheduler.api.scheduled_task import BACKFILL
from financehub_scheduler.api.status import ScheduledTaskStatus
from financehub_scheduler.core.state import Live
from financehub_scheduler.kubernetes.observed_status import NOTHING, Seen, Standing
from financehub_scheduler.kubernetes.status.build import as_json, build
from financehub_scheduler.kubernetes.status.snapshot import Facts, Record
from financehub_scheduler.kubernetes.watch.resource import Resource, read
from financehub_scheduler.redis.enqueuer import Run as Enqueued
from financehub_scheduler.redis.enqueuer import pack
from financehub_shared.monitor import Run, RunState, ScheduleOutcome
from financehub_shared.schedules import BackfillInfo
from support.schedules import UID, resource

T = 1_800_000_000.0


def shown(annotations: dict[str, str] | None = None, generation: int = 1, **spec: Any) -> Resource:
    """A resource as the API server shows it."""
    body = resource("demo", annotations, **spec)
    server = {
        "uid": UID,
        "namespace": "default",
        "generation": generation,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return read({**body, "metadata": {**body["metadata"], **server}})


def live_of(one: Resource, *, problem: str = "", refused: str = "") -> Live:
    """Its schedule under the engine's care, at T."""
    assert one.schedule
    live = Live(one.schedule, T, problem=problem or refused, refused=refused)
    due = None if problem or refused or one.schedule.suspended else one.schedule.timing.next_after(T)
    live.next = pack(Enqueued(one.schedule, "due", due), due) if due is not None else None
    return live


def status(one: Resource, facts: Facts | None = None, before: Seen = NOTHING, **live: str) -> Any:
    """Its status at T + 0.7 s, as JSON."""
    engine = live_of(one, **live) if one.schedule else None
    return as_json(build(one, engine, facts or Facts(), before, T + 0.7))


def ready(status: Any) -> tuple[str, str, str]:
    """The first condition."""
    found = status["conditions"][0]
    return found["status"], found["reason"], found["message"]


def test_times_are_whole_seconds() -> None:
    """Whatever fraction of a second is known, status says seconds, and durations in milliseconds."""
    run = Run("m", "t", "q", RunState.SUCCEEDED, due_at=T, finished_at=T + 1.9, duration=1.23456)
    outcome = ScheduleOutcome(1, 0, "m", "succeeded", T + 1.9, 1.23456, "", T + 1.9)
    found = status(shown(jitterSeconds=60), Facts(Record(last_due_at=T, outcome=outcome), [run]))
    stamps = [found["lastRun"]["finishTime"], found["lastSuccessTime"], found["recent"][0]["finishTime"]]
    assert set(stamps) == {"2027-01-15T08:00:01Z"}
    assert all(stamp[-1] == "Z" and len(stamp) == 20 for stamp in found["nextScheduleTimes"])
    assert found["lastRun"]["durationSeconds"] == found["recent"][0]["durationSeconds"] == 1.235


def test_numbers_are_as_the_api_server_gives_them_back() -> None:
    """A whole number of seconds is an integer, so that the status that comes back has the digest of the one sent."""
    run = Run("m", "t", "q", RunState.SUCCEEDED, duration=2.0)
    duration = status(shown(), Facts(recent=[run]))["recent"][0]["durationSeconds"]
    assert (duration, type(duration)) == (2, int)


def test_what_is_not_known_is_left_out() -> None:
    """A status says nothing of runs that never were, but counts them as none."""
    found = status(shown())
    assert not {"lastScheduleTime", "lastRun", "lastSkip", "backfill", "lastSuccessTime"} & found.keys()
    assert (found["runs"], found["missed"], found["recent"]) == (0, 0, [])


def test_a_status_fits_its_model() -> None:
    """What is written is what the CRD is made from."""
    wish = "2027-01-15T07:00:00Z/2027-01-15T07:01:00Z"
    facts = Facts(
        Record(1, 2, 3, 4, 5, ("overlap", T), T, ScheduleOutcome(3, 1, "m", "lost", T, 1.0, "gone", T, T)),
        [Run(f"m{number}", "t", "q", RunState.QUEUED) for number in range(10)],
        BackfillInfo("b", "default/demo", T, T, "running", 2, 1, ""),
    )
    found = status(shown({BACKFILL: wish}), facts)
    assert as_json(ScheduledTaskStatus.model_validate(found)) == found
    assert found["active"] == 10
    assert found["backfill"] == {"range": wish, "state": "running", "total": 2, "enqueued": 1}


def test_a_backfill_that_waits_is_pending() -> None:
    """A range that nobody has taken up yet is shown as asked for."""
    wish = "2027-01-15T07:00:00Z/2027-01-15T07:01:00Z"
    assert status(shown({BACKFILL: wish}))["backfill"] == {"range": wish, "state": "pending", "total": 0, "enqueued": 0}


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ({"schedule": "@every 5m"}, "@every 5m"),
        ({"schedule": "0 9 * * 1-5", "timeZone": "Europe/Berlin"}, "0 9 * * 1-5 (Europe/Berlin)"),
        ({"schedules": ["0 9 * * *", "30 17 * * *"]}, "0 9 * * *; 30 17 * * *"),
    ],
)
def test_the_schedule_is_one_line(spec: dict[str, Any], line: str) -> None:
    """All rules stand in one line, with their zone unless that is UTC."""
    assert status(shown(**spec))["schedule"] == line


def test_a_condition_that_stays_keeps_its_time() -> None:
    """The time of a condition is that of its last change of status, however often it is written."""
    old = datetime(2026, 1, 1, tzinfo=UTC)
    before = Seen(conditions=(Standing("Ready", "True", 1, old), Standing("Failing", "True", 1, old)))
    times = {
        each["type"]: each["lastTransitionTime"] for each in status(shown(generation=2), None, before)["conditions"]
    }
    assert times == {
        "Ready": "2026-01-01T00:00:00Z",
        "Suspended": "2027-01-15T08:00:00Z",
        "Failing": "2027-01-15T08:00:00Z",
    }


@pytest.mark.parametrize(
    ("spec", "live", "runs", "expected"),
    [
        ({}, {}, 0, ("True", "Scheduled", "runs as scheduled")),
        ({}, {"refused": "kwargs.symbols: NOPE"}, 0, ("False", "Refused", "kwargs.symbols: NOPE")),
        ({"maxRuns": 2}, {"problem": "maxRuns reached"}, 2, ("False", "Exhausted", "spec.maxRuns")),
        ({"endTime": "2027-01-15T08:00:00Z"}, {"problem": "no due time is left"}, 0, ("False", "NoDueTime", "endTime")),
        (
            {"calendar": "XNYS", "startTime": "2060-01-01T00:00:00Z"},
            {"problem": "beyond"},
            0,
            ("False", "CalendarEnded", "make calendars"),
        ),
        ({"suspend": True}, {}, 0, ("True", "Suspended", "nothing is due")),
        ({"suspend": True}, {"refused": "no"}, 0, ("False", "Refused", "no")),
        ({"schedule": "61 * * * *"}, {}, 0, ("False", "Invalid", "0-59")),
        ({"kwargs": {"x": "y"}, "task": "fetch_news_task"}, {}, 0, ("False", "Invalid", "x")),
    ],
)
def test_ready_says_why_not(
    spec: dict[str, Any], live: dict[str, str], runs: int, expected: tuple[str, str, str]
) -> None:
    """Each cause has a reason of its own, and a message that says how to mend it."""
    held, reason, message = ready(status(shown(**spec), Facts(Record(runs=runs)), **live))
    assert (held, reason) == expected[:2]
    assert expected[2] in message


@pytest.mark.parametrize(
    ("outcome", "error", "expected"),
    [
        ("", "", ("False", "NoRunEnded", "no run has ended yet")),
        ("succeeded", "", ("False", "RunSucceeded", "the last run succeeded")),
        ("skipped", "too old", ("False", "RunSkipped", "the last run was skipped by its worker")),
        ("dead-lettered", "ValueError: a\nb", ("True", "RunFailed", "ValueError: a b")),
        ("dead-lettered", "", ("True", "RunFailed", "the last run failed")),
        ("lost", "its worker died", ("True", "RunLost", "its worker died")),
    ],
)
def test_failing_tells_of_the_last_run(outcome: str, error: str, expected: tuple[str, str, str]) -> None:
    """Failing holds while the last run that ended failed or was lost, and says what it raised, in one line."""
    record = Record(outcome=ScheduleOutcome(last_run_outcome=outcome, last_run_error=error))
    failing = status(shown(), Facts(record))["conditions"][2]
    assert (failing["status"], failing["reason"], failing["message"]) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("False", "Active")),
        ({"suspend": True, "suspendReason": "upstream moves"}, ("True", "Suspended")),
        ({"schedule": "never"}, ("Unknown", "Invalid")),
    ],
)
def test_suspended_tells_of_the_spec(spec: dict[str, Any], expected: tuple[str, str]) -> None:
    """Suspended repeats the spec, with its reason; of a spec that cannot be read nothing is known."""
    suspended = status(shown(**spec))["conditions"][1]
    assert (suspended["status"], suspended["reason"]) == expected
    assert suspended["message"] == spec.get("suspendReason", suspended["message"])


def test_a_long_text_is_cut() -> None:
    """An error line takes 300 characters of a status at most, and what is wrong with a spec 1,000."""
    outcome = ScheduleOutcome(last_run_id="m", last_run_outcome="dead-lettered", last_run_error="é" * 500)
    found = status(shown(), Facts(Record(outcome=outcome)))
    assert len(found["lastRun"]["error"]) == len(found["conditions"][2]["message"]) == 300
    refused = ready(status(shown(), refused="no " * 1_000))[2]
    assert len(refused) == 1_000
    wrong = replace(shown(), schedule=None, problem="long " * 1_000)
    assert len(ready(status(wrong))[2]) == 1_000


def test_the_newest_run_is_not_forgotten_with_redis() -> None:
    """`lastScheduleTime` stays where Redis has lost it, for schedules resume there; else what Redis knows counts."""
    before = Seen(last=T - 60)
    assert status(shown(), None, before)["lastScheduleTime"] == "2027-01-15T07:59:00Z"
    assert status(shown(), Facts(Record(last_due_at=T)), before)["lastScheduleTime"] == "2027-01-15T08:00:00Z"
