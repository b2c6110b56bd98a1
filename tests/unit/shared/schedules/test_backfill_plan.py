"""What the preview of a backfill says, compared with the due times that the scheduler computes."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.errors import ConfigError, InvalidArgumentsError
from financehub_shared.schedules.backfill_plan import due_times_of_range, plan_backfill
from financehub_shared.schedules.due_times import next_due_times
from financehub_shared.schedules.pauses import Pause
from support.schedules import registered, schedule


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


NOW = at("2026-11-30T12:00Z")


def test_plan_states_the_number_the_ends_and_the_zone() -> None:
    """The sentence has the exact number of runs, and the first and the last due time in the schedule's zone."""
    spec = {"schedule": "*/30 * * * *", "timeZone": "Europe/Berlin"}
    start, end = at("2026-11-01T00:00+01:00"), at("2026-11-01T23:59:59+01:00")
    plan = plan_backfill(registered(**spec), start, end, NOW)
    assert plan.sentence == "The range has 48 due times: 2026-11-01 00:00 … 2026-11-01 23:30 Europe/Berlin"
    assert (plan.total, len(plan.first), len(plan.last), plan.problem) == (48, 5, 5, "")
    assert plan.policy == "Forbid"


@pytest.mark.parametrize(
    ("day", "total"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)], ids=["spring", "autumn", "usual"]
)
def test_day_on_which_the_clocks_change_has_as_many_hours_as_it_lasts(day: str, total: int) -> None:
    """An hourly schedule runs in each hour that exists in its zone."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=zone)
    end = start.replace(hour=23, minute=59)
    spec = {"schedule": "0 * * * *", "timeZone": "Europe/Berlin"}
    assert plan_backfill(registered(**spec), start.timestamp(), end.timestamp(), NOW).total == total


def test_plan_of_a_closed_exchange_counts_what_is_left_out() -> None:
    """Due times outside the sessions of the exchange are not run, and the preview says how many."""
    spec = {"schedule": "0 * * * *", "calendar": "XNYS"}
    plan = plan_backfill(registered(**spec), at("2026-11-26T00:00Z"), at("2026-11-27T23:59Z"), NOW)
    assert plan.total == 3  # Thanksgiving, and a short Friday: 15, 16 and 17 o'clock UTC
    assert "Due times at which XNYS is closed are left out (45 in this range)." in plan.notes


@pytest.mark.parametrize(
    ("spec", "note"),
    [
        ({}, "one after another"),
        ({"concurrencyPolicy": "Replace"}, "one after another"),
        ({"concurrencyPolicy": "Allow"}, "while the queue q has more than 100 messages"),
        ({"concurrencyPolicy": "Allow", "maxQueueDepth": 7}, "while the queue q has more than 7 messages."),
        ({"concurrencyPolicy": "Allow", "maxQueueDepth": 1}, "while the queue q has more than 1 message."),
        ({"endTime": "2026-11-29T00:00:00Z"}, "Nothing is due before startTime and after endTime."),
    ],
)
def test_plan_names_what_the_spec_means_for_a_backfill(spec: dict[str, Any], note: str) -> None:
    """The concurrency policy, the queue and the limits of the schedule are explained."""
    plan = plan_backfill(registered(**spec), NOW - 3_600, NOW, NOW)
    assert any(note in each for each in plan.notes)
    assert ("Due times that have already run are run again." in plan.notes) == (not plan.problem)


def test_plan_of_a_suspended_or_paused_schedule_says_that_it_runs() -> None:
    """A backfill runs although the schedule is suspended or paused."""
    paused = replace(registered(), paused=Pause(by="alice", reason="maintenance", at=NOW))
    for info, word in ((registered(suspended=True), "suspended"), (paused, "paused")):
        notes = plan_backfill(info, NOW - 3_600, NOW, NOW).notes
        assert f"The schedule is {word}. A backfill runs nevertheless." in notes


def test_plan_of_too_many_or_no_due_times_has_a_problem() -> None:
    """The limit is that of the scheduler, and a range without any due time cannot be requested."""
    every_second = registered(schedule="@every 1s")
    assert plan_backfill(every_second, NOW - 9_999, NOW, NOW).problem == ""
    plan = plan_backfill(every_second, NOW - 10_000, NOW, NOW)
    assert (plan.total, plan.last) == (10_001, ())
    assert "more than 10,000 due times" in plan.problem
    plan = plan_backfill(registered(schedule="@yearly"), NOW - 3_600, NOW, NOW)
    assert (plan.total, plan.first, plan.last) == (0, (), ())
    assert plan.problem == "No due time of the schedule is in this range."


@pytest.mark.parametrize("policy", ["Forbid", "Replace", "Allow", "BufferOne", "BufferAll"])
@pytest.mark.parametrize("schedule", ["@yearly", "@every 1s"])
def test_plan_of_a_range_that_cannot_be_requested_does_not_say_how_its_runs_run(policy: str, schedule: str) -> None:
    """Whatever the policy and the state of the schedule are: if there is a problem, nothing will run."""
    info = registered(schedule=schedule, concurrencyPolicy=policy, calendar="XNYS", endTime="2026-11-30T00:00:00Z")
    for each in (info, replace(info, suspended=True)):
        plan = plan_backfill(each, NOW - 10 * 86_400, NOW, NOW)
        assert plan.problem
        assert not [note for note in plan.notes if "run" in note.split() or "runs" in note.split()]
        assert any(note.startswith("Due times at which XNYS is closed are left out") for note in plan.notes)


def test_plan_of_a_wrong_range_or_an_unreadable_spec_raises() -> None:
    """A range that no scheduler would accept, and a spec that another program damaged, are refused."""
    for start, end in ((NOW, NOW - 1), (NOW, NOW + 1), (0.0, NOW)):
        with pytest.raises(InvalidArgumentsError):
            plan_backfill(registered(), start, end, NOW)
    for spec in ({}, {"schedule": 5}, {"schedule": "x"}, {"schedule": "@daily", "timeZone": "Mars"}, {"schedules": 3}):
        damaged = replace(registered(), spec=spec)
        with pytest.raises(ConfigError, match="cannot be computed from the stored spec"):
            plan_backfill(damaged, NOW - 60, NOW, NOW)
        assert "cannot be computed" in next_due_times(damaged, NOW, 10).problem


SPECS = st.fixed_dictionaries(
    {
        "schedules": st.lists(
            st.sampled_from(["@every 7m", "@every 1h30m", "*/20 * * * *", "30 2 * * *", "15 1-3 * * 0", "@daily"]),
            min_size=1,
            max_size=3,
        ),
        "timeZone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    },
    optional={
        "calendar": st.sampled_from(["XNYS", "XTKS"]),
        "jitterSeconds": st.integers(0, 300),
        "startTime": st.sampled_from(["2026-03-29T00:30:00Z", "2026-10-25T01:10:00+02:00"]),
        "endTime": st.just("2026-11-20T00:00:00Z"),
    },
)


@given(SPECS, st.integers(int(at("2026-03-01T00:00Z")), int(NOW - 3 * 86_400)), st.integers(0, 3 * 86_400))
def test_plan_has_the_due_times_of_the_compiled_schedule(spec: dict[str, Any], start: int, length: int) -> None:
    """The stored spec yields the due times that the scheduler computes from the resource, at any clock change."""
    compiled = schedule(**spec)
    expected = [due for due in compiled.recurrence.due_times(start - 1, start + length) if due >= start]
    plan = plan_backfill(registered(**spec), start, start + length, NOW)
    assert plan.total == len(expected)
    assert (*plan.first, *plan.last) == tuple(dict.fromkeys([*expected[:5], *expected[-5:]]))
    assert due_times_of_range(compiled.recurrence, start, start + length) == expected


def test_next_due_times_are_those_after_now_and_at_most_the_runs_that_are_left() -> None:
    """The due times follow the clock changes of the zone, and a schedule that ends has fewer of them."""
    spec = {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"}
    found = next_due_times(registered(**spec), at("2026-10-24T12:00Z"), 3)
    assert found.times == (at("2026-10-25T02:30+02:00"), at("2026-10-26T02:30+01:00"), at("2026-10-27T02:30+01:00"))
    assert found.problem == ""
    limited = next_due_times(registered(**spec, maxRuns=5, runs=3), NOW, 10)
    assert len(limited.times) == 2
    assert limited.problem == "No further due time is left."
    beyond = next_due_times(registered(schedule="@yearly", calendar="XTKS"), at("2031-12-31T00:00Z"), 10)
    assert "calendar XTKS covers only the days" in beyond.problem


def test_due_times_of_a_follower_are_those_that_wait_for_their_jitter() -> None:
    """Nobody knows the due times of a follower in advance, except for a success that waits for its jitter."""
    follower = registered(after="prices", jitterSeconds=600)
    due = next_due_times(follower, NOW, 10)
    assert (due.times, due.problem) == (
        (),
        "It runs after each success of prices, so its due times are not known in advance.",
    )
    assert 0 < due.delay < 600
    waiting = replace(follower, next_times=(NOW + 100,))
    assert next_due_times(waiting, NOW, 10).times == (NOW + 100 - due.delay,)
