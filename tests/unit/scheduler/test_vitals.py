"""When a scheduler should be restarted, and when it is ready."""

from dataclasses import dataclass

import pytest

from financehub_scheduler.core.health_probe import HealthProbe, LoopHealth
from financehub_shared.core.clock import ManualClock


@dataclass
class FakeEngine:
    """What the vitals ask of an engine."""

    health: LoopHealth
    lag: float = 0.0
    settled: bool = True

    def due_lag(self) -> float:
        return self.lag


def vitals(tick: float, ack: float, lag: float = 0.0, *, settled: bool = True, ahead: float = 3_600) -> HealthProbe:
    """The loop came round `tick`, Redis answered `ack` and disbelieved our clock `ahead` seconds ago."""
    clock = ManualClock()
    engine = FakeEngine(LoopHealth(last_step=-tick, last_reply=-ack, last_ahead=-ahead), lag, settled)
    return HealthProbe(engine, clock)


@pytest.mark.parametrize(
    ("tick", "ack", "lag", "says"),
    [
        pytest.param(0.5, 0.5, 0.0, [], id="well"),
        pytest.param(31, 0.5, 0.0, ["the loop has not come round for 31 s"], id="loop-stuck"),
        pytest.param(0.5, 0.5, 61.0, ["a run has been due for 61 s although Redis answers"], id="heap-stuck"),
        pytest.param(0.5, 120, 120.0, [], id="redis-away-is-no-reason"),
        pytest.param(0.5, 301, 301.0, ["Redis has not acknowledged anything for 301 s"], id="redis-away-for-long"),
    ],
)
def test_liveness_is_progress(tick: float, ack: float, lag: float, says: list[str]) -> None:
    """A scheduler is restarted when its loop or heap is stuck, or Redis silent for so long that we may be at fault."""
    assert vitals(tick, ack, lag).live() == says


def test_readiness() -> None:
    """A scheduler is ready once its schedules are registered, and while Redis answers."""
    assert vitals(0, 0).ready() == []
    assert vitals(0, 0, settled=False).ready() == ["starting: the schedules are not registered yet"]
    assert vitals(0, 31).ready() == ["Redis has not answered for 31 s"]


def test_what_keeps_the_source_is_the_reason_not_to_be_ready() -> None:
    """Until all schedules are known, what keeps their source is said; afterwards it is no longer asked."""
    engine = FakeEngine(LoopHealth(last_step=0, last_reply=0), settled=False)
    found = HealthProbe(engine, ManualClock(), starting=lambda: ["forbidden"])
    assert found.ready() == ["forbidden"]
    engine.settled = True
    assert found.ready() == []


def test_a_clock_far_ahead_is_told_for_what_it_is() -> None:
    """Runs that wait because Redis does not believe our clock make a scheduler unready, and are no stuck heap."""
    reason = ["the clock is far ahead of Redis's, which does not take runs that are due only then; set it right"]
    assert vitals(0, 0, ahead=2).ready() == reason
    assert vitals(0, 0, ahead=2).live() == []
    assert vitals(0, 0, lag=61, ahead=2).live() == reason
    assert vitals(0, 0, ahead=11).ready() == []
