"""The background tasks of a scheduler process."""

import asyncio
import contextlib
import gc
from dataclasses import dataclass
from typing import cast

from structlog.testing import capture_logs

from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.periodic import JanitorRounds, cancel_all, every, freeze_startup_objects, log_errors
from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.clock import ManualClock, SystemClock
from financehub_shared.metrics import Metrics
from support.schedules import schedule


@dataclass
class StartingEngine:
    """An engine that has registered all schedules when it is checked for the third time."""

    health: LoopHealth
    checks: int = 0

    @property
    def all_registered(self) -> bool:
        self.checks += 1
        return self.checks == 3

    def due_lag(self) -> float:
        return 0.0


async def test_cancel_all_with_a_swallowed_cancellation_ends_the_task():
    """A task ends even if a client swallows its cancellation several times."""
    swallowed = 0

    async def step() -> None:
        nonlocal swallowed
        if swallowed < 2:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3_600)
            swallowed += 1

    task = asyncio.create_task(every(0, step, SystemClock()))
    await asyncio.sleep(0)
    await asyncio.wait_for(cancel_all([task]), 60)
    assert (swallowed, task.cancelled()) == (2, True)


async def test_freeze_startup_objects_waits_until_the_engine_is_settled():
    """Existing objects are exempted from garbage collection when all schedules are registered, and not before."""
    engine = StartingEngine(LoopHealth(0, 0))
    before = gc.get_freeze_count()
    try:
        await freeze_startup_objects(engine, ManualClock())
        assert engine.checks == 3
        assert gc.get_freeze_count() > before + 1_000
    finally:
        gc.unfreeze()


class FixedJanitor:
    """A janitor that finds the given queues."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def run(self) -> dict[str, int]:
        return self.found


def test_janitor_rounds_drop_the_series_of_queues_that_are_gone():
    """After 300 queues have come and gone, no series of them is left. Queues of tiers and schedules keep theirs."""
    janitor, metrics = FixedJanitor(), Metrics("scheduler")
    states = {"uid": ScheduleState(schedule(queue="reports"), 0.0)}
    rounds = JanitorRounds(cast("Janitor", janitor), metrics, states)

    def queues() -> set[str]:
        samples = (sample for family in metrics.queue_reclaimed.collect() for sample in family.samples)
        return {sample.labels["queue"] for sample in samples}

    janitor.found = {"high": 1, "reports": 1}
    rounds.run()
    for number in range(300):
        janitor.found = {f"q{number}": 1, f"r{number}": 0}
        rounds.run()
        assert queues() == {"high", "reports", f"q{number}", f"r{number}"}
    janitor.found = {}
    rounds.run()
    assert queues() == {"high", "reports"}
    states.clear()
    rounds.run()
    assert queues() == {"high"}


async def test_log_errors_with_a_failing_step_logs_each_type_once_per_outage():
    """Errors whose texts differ are one line, the step is repeated, and an outage after a success is logged."""
    outcomes: list[Exception | None] = [
        *(ValueError(f"entry {number}") for number in range(100)),
        KeyError("x"),
        ValueError("again"),
        None,
        ValueError("a new outage"),
    ]
    remaining = iter(outcomes)

    async def read_entries() -> None:
        if error := next(remaining):
            raise error

    step = log_errors(read_entries)
    with capture_logs() as logs:
        for _ in outcomes:
            await step()
    assert next(remaining, "all done") == "all done"
    assert [entry["event"] for entry in logs] == ["scheduler_step_failed"] * 3
    assert all("read_entries" in entry["step"] for entry in logs)


async def test_log_errors_does_not_swallow_a_cancellation():
    """A step can be canceled."""

    async def wait() -> None:
        await asyncio.sleep(3_600)

    task = asyncio.create_task(log_errors(wait)())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
