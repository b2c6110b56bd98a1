"""Tests of the phases of a run."""

import pytest

from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.views.run_details import run_timeline
from financehub_web.console.filters import exact_clock, exact_duration
from financehub_web.console.timeline import timeline_of

T = 1_800_000_000.0


def test_timeline_of_a_run_names_how_long_it_waited_and_ran() -> None:
    """The phases are exact to the millisecond, and their bars fill the chart without gaps."""
    run = RunRecord(
        "id", "task", "q", RunState.SUCCEEDED, "s", "u", T, T + 0.012, T + 0.112, T + 1.346, 1.234, attempts=1
    )
    timeline = timeline_of(run_timeline(run))
    assert [(phase.name, phase.kind, round(phase.length, 3)) for phase in timeline.phases] == [
        ("until it was enqueued", "wait", 0.012),
        ("until the attempt started", "wait", 0.1),
        ("in attempt 1", "ran", 1.234),
    ]
    assert round(timeline.total, 3) == round(timeline.steps[-1].elapsed, 3) == 1.346
    ends = [phase.x + phase.width for phase in timeline.phases]
    assert [round(phase.x, 6) for phase in timeline.phases] == [0.0, *(round(end, 6) for end in ends[:-1])]
    assert ends[-1] == pytest.approx(100)


def test_timeline_of_a_run_without_a_length_is_drawn() -> None:
    """A run whose steps have the same time, and one that only waits, have no division by zero."""
    same = RunRecord("id", "task", "q", RunState.SUCCEEDED, "", "", None, T, T, T, 0.0, attempts=1)
    assert [phase.width for phase in timeline_of(run_timeline(same)).phases] == pytest.approx([50, 50])
    queued = RunRecord("id", "task", "q", RunState.QUEUED, enqueued_at=T)
    assert timeline_of(run_timeline(queued)).phases == []
    assert timeline_of([]).total == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0, "0 ms"), (0.0124, "12 ms"), (0.9999, "1.000 s"), (1.2341, "1.234 s"), (192.345, "3m 12.345s")],
)
def test_exact_duration_has_milliseconds(seconds: float | None, text: str) -> None:
    """No duration is rounded to more than a millisecond, whatever its size."""
    assert exact_duration(seconds) == text
    assert exact_duration(3_600.001) == "1h 0m 0.001s"


def test_exact_clock_has_milliseconds() -> None:
    """The time in UTC, which is shown without JavaScript, has milliseconds."""
    assert "08:00:00.120 UTC</time>" in exact_clock(T + 0.12)
