"""Liveness and readiness of a scheduler."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    step: float,
    reply: float,
    lag: float = 0.0,
    *,
    all_registered: bool = True,
    ahead: float = 3_600,
    failure: float = 3_600,
) -> HealthProbe:
    """Return a probe of an engine that stepped, got a reply, found its clock ahead and failed the given seconds ago."""
    health = LoopHealth(last_step=-step, last_reply=-reply, last_ahead=-ahead, last_failure=-failure)
    return HealthProbe(FakeEngine(health, lag, all_registered), ManualClock())


@pytest.mark.parametrize(
    ("step", "reply", "lag", "problems"),
    [
        pytest.param(0.5, 0.5, 0.0, [], id="healthy"),
        pytest.param(31, 0.5, 0.0, ["the loop has been stalled for 31 s"], id="loop-stalled"),
        pytest.param(0.5, 0.5, 61.0, ["a run has been due for 61 s although Redis answers"], id="queue-stuck"),
    ],
)
def test_liveness_without_progress_names_the_reason(step: float, reply: float, lag: float, problems: list[str]) -> None:
    """A scheduler is restarted if its loop or its due queue is stuck."""
    assert probe(step, reply, lag).liveness() == problems


@given(outage=st.floats(0, 1e6), lag=st.floats(0, 1e6), refuses=st.booleans(), ahead=st.booleans())
def test_liveness_with_a_fault_of_redis_or_the_clock_holds(
    outage: float, lag: float, refuses: bool, ahead: bool
) -> None:
    """However long Redis is silent, refuses runs (a full one answers pings), or is behind our clock, it holds."""
    if refuses:
        health = probe(0.5, 0.5, lag, failure=2.0)
    elif ahead:
        health = probe(0.5, 0.5, lag, ahead=2.0)
    else:
        health = probe(0.5, 10 + outage, lag)
    assert health.liveness() == []


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
    """If Redis rejects due times because our clock is ahead, the scheduler is not ready, but it is live."""
    reason = [
        "the clock is far ahead of the clock of Redis, which rejects runs that are not due yet; correct the clock"
    ]
    assert probe(0, 0, ahead=2).readiness() == reason
    assert probe(0, 0, ahead=2).liveness() == []
    assert probe(0, 0, lag=61, ahead=2).liveness() == []
    assert probe(0, 0, ahead=11).readiness() == []
