"""Liveness and readiness of a scheduler."""

from dataclasses import dataclass

import pytest

from financehub_scheduler.core.health_probe import HealthProbe, LoopHealth
from financehub_shared.core.clock import ManualClock


@dataclass
class FakeEngine:
    """A fake engine with the attributes that the probe reads."""

    health: LoopHealth
    lag: float = 0.0
    all_registered: bool = True

    def due_lag(self) -> float:
        return self.lag


def probe(
    step: float, reply: float, lag: float = 0.0, *, all_registered: bool = True, ahead: float = 3_600
) -> HealthProbe:
    """Return a probe of an engine that stepped, got a reply and found its clock ahead the given seconds ago."""
    engine = FakeEngine(LoopHealth(last_step=-step, last_reply=-reply, last_ahead=-ahead), lag, all_registered)
    return HealthProbe(engine, ManualClock())


@pytest.mark.parametrize(
    ("step", "reply", "lag", "problems"),
    [
        pytest.param(0.5, 0.5, 0.0, [], id="healthy"),
        pytest.param(31, 0.5, 0.0, ["the loop has been stalled for 31 s"], id="loop-stalled"),
        pytest.param(0.5, 0.5, 61.0, ["a run has been due for 61 s although Redis answers"], id="queue-stuck"),
        pytest.param(0.5, 120, 120.0, [], id="redis-unavailable"),
        pytest.param(0.5, 301, 301.0, ["Redis has not answered for 301 s"], id="redis-unavailable-for-long"),
    ],
)
def test_liveness_without_progress_names_the_reason(step: float, reply: float, lag: float, problems: list[str]) -> None:
    """A scheduler is restarted if its loop or its due queue is stuck, or if Redis has been silent for five minutes."""
    assert probe(step, reply, lag).liveness() == problems


def test_readiness_requires_registered_schedules_and_answers_of_redis() -> None:
    """A scheduler is ready if its schedules are registered and Redis replies."""
    assert probe(0, 0).readiness() == []
    assert probe(0, 0, all_registered=False).readiness() == ["starting: the schedules are not registered yet"]
    assert probe(0, 31).readiness() == ["Redis has not answered for 31 s"]


def test_readiness_during_start_shows_problems_of_the_source() -> None:
    """The source's problems are shown until all schedules are registered, but not afterwards."""
    engine = FakeEngine(LoopHealth(last_step=0, last_reply=0), all_registered=False)
    health_probe = HealthProbe(engine, ManualClock(), startup_problems=lambda: ["forbidden"])
    assert health_probe.readiness() == ["forbidden"]
    engine.all_registered = True
    assert health_probe.readiness() == []


def test_probe_with_clock_far_ahead_names_the_clock() -> None:
    """If Redis rejects due times because our clock is ahead, the scheduler is not ready, but its queue is not stuck."""
    reason = [
        "the clock is far ahead of the clock of Redis, which rejects runs that are not due yet; correct the clock"
    ]
    assert probe(0, 0, ahead=2).readiness() == reason
    assert probe(0, 0, ahead=2).liveness() == []
    assert probe(0, 0, lag=61, ahead=2).liveness() == reason
    assert probe(0, 0, ahead=11).readiness() == []
