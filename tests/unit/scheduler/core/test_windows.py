"""The window of `startingDeadlineSeconds`, for every kind of run, jitter and lateness. No case needs Redis."""

import json
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.planner import Planner
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import EncodedRun, RunKind, RunSubmission, encode
from financehub_shared.core.clock import ManualClock
from support.schedules import UID, schedule

#: A full hour.
T = 1_800_000_000.0
#: Milliseconds by which a window may be shorter because times are rounded.
ROUNDING_MS = 2
#: The kinds whose window begins when they are enqueued.
ON_DEMAND: tuple[RunKind, ...] = ("buffered", "annotation", "request", "backfill")


def window(run: EncodedRun) -> tuple[float, int]:
    """Return the end of a run's window as a worker sees it (Unix seconds), and the milliseconds that it has left."""
    options = json.loads(run.message)["options"]
    return (options["ready_at"] + options["max_age"]) / 1000, options["max_age"]


def due_at(lateness: float, since: float = 0.0, pending: tuple[float, ...] = (), **spec: object) -> list[EncodedRun]:
    """Return what a planner submits for a schedule that is due each hour, unless its spec says something else.

    Args:
        lateness: Seconds between the time at which the run is to be enqueued and the step of the planner.
        since: Time of the last change, Unix seconds.
        pending: Due times that the last change has kept, Unix seconds.
        spec: Fields of the spec.
    """
    compiled = schedule(**{"schedule": "@hourly"} | spec)
    clock = ManualClock(T - 1)
    planner = Planner(clock, {}, SchedulerListener(), lambda _: "")
    planner.add(ScheduleState(compiled, T - 1 if pending else max(T - 1, since), since=since, pending=pending))
    first = planner.next_time()
    assert first is not None
    clock.set_wall(first + lateness)
    return [run for _, runs in planner.pop_due(10).own for run in runs]


JITTERS = st.integers(0, 3_000)
DEADLINES = st.integers(1, 3_000)


@given(
    st.integers(0, 2**32),
    JITTERS,
    DEADLINES,
    st.one_of(st.floats(0, 3_500), st.integers(0, 3_500)),
    st.sampled_from(["Latest", "All"]),
)
def test_window_of_a_due_run_begins_after_its_jitter_and_ends_at_the_same_moment_however_late_it_is(
    name: int, jitter: int, deadline: int, lateness: float, catch_up: str
):
    """A late run has the rest of the window. If nothing is left, the due time is missed, and no message is written."""
    uid = str(uuid5(UUID(UID), str(name)))
    spec = {"jitterSeconds": jitter, "startingDeadlineSeconds": deadline, "catchUp": catch_up}
    planned = T + schedule(uid=uid, schedule="@hourly", **spec).recurrence.offset
    [run] = due_at(lateness, uid=uid, **spec)
    assert run.run.due == T
    if planned + lateness - planned >= deadline:
        assert (run.message, run.run.missed) == ("", 1)
        return
    end, left_ms = window(run)
    assert end == pytest.approx(planned + deadline, abs=ROUNDING_MS / 1000)
    # A run that is less than a second late was encoded in advance, and its time in the loop counts as waiting time.
    late = lateness if planned + lateness - planned >= 1 else 0
    assert left_ms == pytest.approx((deadline - late) * 1000, abs=ROUNDING_MS)


@given(st.sampled_from(ON_DEMAND), JITTERS, DEADLINES, st.floats(0, 10 * 86_400))
def test_window_of_a_run_that_waited_on_purpose_is_full(kind: RunKind, jitter: int, deadline: int, waited: float):
    """A buffered run has its full window after its release, whether it waited for a second or for days: no cliff. The
    windows of triggers and backfills begin when they are enqueued.
    """
    compiled = schedule(jitterSeconds=jitter, startingDeadlineSeconds=deadline)
    run = encode(RunSubmission(compiled, kind, T, fence="f"), T + waited)
    end, left_ms = window(run)
    assert left_ms == deadline * 1000
    assert end == pytest.approx(T + waited + deadline, abs=ROUNDING_MS / 1000)


@given(JITTERS, st.floats(0, 3_000), DEADLINES, st.floats(0, 3_500))
def test_window_of_a_pending_run_begins_at_the_edit_or_after_its_new_jitter(
    jitter: int, age: float, deadline: int, lateness: float
):
    """A due time that an edit has kept is late by the time since the edit, or since its new jitter has ended."""
    spec = {"schedule": "@daily", "jitterSeconds": jitter, "startingDeadlineSeconds": deadline}
    planned = T + max(schedule(**spec).recurrence.offset, age)
    [run] = due_at(lateness, T + age, (T,), **spec)
    assert run.run.due == T
    if planned + lateness - planned >= deadline:
        assert (run.message, run.run.missed) == ("", 1)
    else:
        assert window(run)[0] == pytest.approx(planned + deadline, abs=ROUNDING_MS / 1000)


@pytest.mark.parametrize("lateness", [0, 0.5, 0.999, 1, 1.001, 9.9, 10, 10.1])
@pytest.mark.parametrize("deadline", [1, 2, 10, 11])
@pytest.mark.parametrize("catch_up", ["None", "Latest", "All"])
def test_late_run_is_enqueued_exactly_while_its_window_is_open_and_catch_up_allows_it(
    catch_up: str, deadline: int, lateness: float
):
    """The deadline and `catchUp: None` have one limit each, without a gap around the second that counts as on time."""
    [run] = due_at(lateness, catchUp=catch_up, startingDeadlineSeconds=deadline)
    expected = lateness < deadline and (catch_up != "None" or lateness <= 10)
    assert bool(run.message) is expected
    assert run.run.missed == (0 if expected else 1)
