"""Catch-up of due times that have passed."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.catch_up import GRACE_SECONDS, MAX_CATCH_UP, CatchUpPlan, plan_catch_up
from financehub_scheduler.timeline import Timeline
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import parse_rule
from financehub_shared.spec.scheduled_task import CatchUp

#: A full minute.
T = 1_800_000_000
MINUTELY = Timeline(Recurrence((parse_rule("* * * * *", ZoneInfo("UTC")),)))


def minutes(*numbers: int) -> tuple[int, ...]:
    return tuple(T + 60 * number for number in numbers)


@pytest.mark.parametrize(
    ("policy", "late", "deadline", "fire", "missed", "mark"),
    [
        pytest.param(CatchUp.LATEST, 0, None, minutes(5), 4, T + 300, id="latest-runs-the-newest"),
        pytest.param(CatchUp.LATEST, 59, None, minutes(5), 4, T + 300, id="latest-without-deadline"),
        pytest.param(CatchUp.LATEST, 59, 30, (), 5, T + 300, id="latest-beyond-the-deadline"),
        pytest.param(CatchUp.LATEST, 29.9, 30, minutes(5), 4, T + 300, id="latest-just-within-the-deadline"),
        pytest.param(CatchUp.LATEST, 30, 30, (), 5, T + 300, id="latest-with-an-empty-rest-of-the-window"),
        pytest.param(CatchUp.ALL, 0, None, minutes(1, 2, 3, 4, 5), 0, T + 300, id="all-in-order"),
        pytest.param(CatchUp.ALL, 0, 130, minutes(3, 4, 5), 2, T + 300, id="all-within-the-deadline"),
        pytest.param(CatchUp.NONE, GRACE_SECONDS, None, minutes(5), 4, T + 300, id="none-within-the-grace-period"),
        pytest.param(CatchUp.NONE, GRACE_SECONDS + 1, None, (), 5, T + 300, id="none-after-the-grace-period"),
    ],
)
def test_plan_after_five_minutes_of_downtime_follows_policy_and_deadline(
    policy: CatchUp, late: float, deadline: int | None, fire: tuple[int, ...], missed: int, mark: int
):
    """`catchUp` and the deadline decide which passed due times run. The others are counted as missed."""
    assert plan_catch_up(MINUTELY, T, T + 300 + late, policy, deadline) == CatchUpPlan(fire, missed, mark)


@pytest.mark.parametrize("policy", list(CatchUp))
def test_plan_between_due_times_is_empty(policy: CatchUp):
    """Between two due times nothing runs, nothing is missed and the high-water mark does not move."""
    assert plan_catch_up(MINUTELY, T, T + 59.9, policy, None) == CatchUpPlan((), 0, None)


def test_plan_after_a_long_outage_runs_at_most_a_hundred():
    """After a long outage, `All` runs the newest hundred due times, and the others count as missed."""
    found = plan_catch_up(MINUTELY, T, T + 500 * 60, CatchUp.ALL, None)
    assert found.fire == minutes(*range(401, 501))
    assert len(found.fire) == MAX_CATCH_UP
    assert found.missed == 400


def test_plan_with_jitter_waits_for_the_offset():
    """A due time counts as passed only when its jitter offset has passed too."""
    timeline = Timeline(Recurrence(MINUTELY.recurrence.rules, offset=20.0))
    assert plan_catch_up(timeline, T, T + 79, CatchUp.LATEST, None).fire == ()
    assert plan_catch_up(timeline, T, T + 80, CatchUp.LATEST, None).fire == minutes(1)


@given(
    st.sampled_from(list(CatchUp)),
    st.integers(0, 8_000),
    st.one_of(st.none(), st.integers(1, 5_000)),
    st.integers(1, 600),
)
def test_plan_of_any_range_runs_or_counts_every_due_time(
    policy: CatchUp, length: int, deadline: int | None, interval: int
):
    """The due times that run or are missed are exactly those in the range, and the mark is the last one."""
    recurrence = Recurrence((parse_rule(f"@every {interval}s", ZoneInfo("UTC")),))
    walked = list(recurrence.due_times(T, T + length))
    found = plan_catch_up(Timeline(recurrence), T, T + length, policy, deadline)
    assert len(found.fire) + found.missed == min(len(walked), 1_000)
    assert found.mark == (walked[-1] if walked else None)
    assert list(found.fire) == (walked[-len(found.fire) :] if found.fire else [])
