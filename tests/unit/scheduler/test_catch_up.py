"""What becomes of due times that have passed."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.recurrence.catch_up import GRACE_SECONDS, MAX_CATCH_UP, CatchUp, Plan, plan
from financehub_scheduler.recurrence.rules import Timing, parse_rule

#: A full minute.
T = 1_800_000_000
MINUTELY = Timing((parse_rule("* * * * *", ZoneInfo("UTC")),))


def minutes(*numbers: int) -> tuple[int, ...]:
    return tuple(T + 60 * number for number in numbers)


@pytest.mark.parametrize(
    ("policy", "late", "deadline", "fire", "missed", "mark"),
    [
        pytest.param(CatchUp.LATEST, 0, None, minutes(5), 4, T + 300, id="latest-only-the-newest"),
        pytest.param(CatchUp.LATEST, 59, None, minutes(5), 4, T + 300, id="latest-however-late"),
        pytest.param(CatchUp.LATEST, 59, 30, (), 5, T + 300, id="latest-too-late"),
        pytest.param(CatchUp.ALL, 0, None, minutes(1, 2, 3, 4, 5), 0, T + 300, id="all-in-order"),
        pytest.param(CatchUp.ALL, 0, 130, minutes(3, 4, 5), 2, T + 300, id="all-within-the-deadline"),
        pytest.param(CatchUp.NONE, GRACE_SECONDS, None, minutes(5), 4, T + 300, id="none-but-what-is-just-due"),
        pytest.param(CatchUp.NONE, GRACE_SECONDS + 1, None, (), 5, T + 300, id="none-when-it-is-over"),
    ],
)
def test_after_five_minutes_of_downtime(
    policy: CatchUp, late: float, deadline: int | None, fire: tuple[int, ...], missed: int, mark: int
):
    """Of the runs of an outage those are fired that `catchUp` and the deadline allow; the rest is counted."""
    assert plan(MINUTELY, T, T + 300 + late, policy, deadline) == Plan(fire, missed, mark)


@pytest.mark.parametrize("policy", list(CatchUp))
def test_nothing_due_changes_nothing(policy: CatchUp):
    """Between two due times there is nothing to fire, to miss or to mark."""
    assert plan(MINUTELY, T, T + 59.9, policy, None) == Plan((), 0, None)


def test_catching_up_is_bounded():
    """After a long outage `All` starts the newest hundred runs, and the others count as missed."""
    found = plan(MINUTELY, T, T + 500 * 60, CatchUp.ALL, None)
    assert found.fire == minutes(*range(401, 501))
    assert len(found.fire) == MAX_CATCH_UP
    assert found.missed == 400


def test_jitter_delays_the_plan():
    """A due time counts as passed only once its jitter has passed too."""
    timing = Timing(MINUTELY.rules, offset=20.0)
    assert plan(timing, T, T + 79, CatchUp.LATEST, None).fire == ()
    assert plan(timing, T, T + 80, CatchUp.LATEST, None).fire == minutes(1)


@given(
    st.sampled_from(list(CatchUp)),
    st.integers(0, 8_000),
    st.one_of(st.none(), st.integers(1, 5_000)),
    st.integers(1, 600),
)
def test_every_due_time_is_fired_or_counted(policy: CatchUp, length: int, deadline: int | None, interval: int):
    """Due times fired plus missed are all of the range, and the mark ends at the last of them."""
    timing = Timing((parse_rule(f"@every {interval}s", ZoneInfo("UTC")),))
    walked = list(timing.due_times(T, T + length))
    found = plan(timing, T, T + length, policy, deadline)
    assert len(found.fire) + found.missed == min(len(walked), 1_000)
    assert found.mark == (walked[-1] if walked else None)
    assert list(found.fire) == (walked[-len(found.fire) :] if found.fire else [])
