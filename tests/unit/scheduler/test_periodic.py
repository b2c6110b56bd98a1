"""The background tasks of a scheduler process."""

import asyncio
import contextlib
import gc
from dataclasses import dataclass

from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.periodic import cancel_all, every, freeze_startup_objects
from financehub_shared.core.clock import ManualClock, SystemClock


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
    await asyncio.wait_for(cancel_all([task]), 10)
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
