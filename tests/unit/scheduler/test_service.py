"""How the parts of a scheduler process are kept going, and ended."""

import asyncio
import contextlib
import gc
from dataclasses import dataclass

from financehub_scheduler.app import end, every, spare_garbage_collection
from financehub_scheduler.core.health_probe import LoopHealth
from financehub_shared.core.clock import ManualClock, SystemClock


@dataclass
class StartingEngine:
    """An engine that is settled at the third look."""

    health: LoopHealth
    looks: int = 0

    @property
    def settled(self) -> bool:
        self.looks += 1
        return self.looks == 3

    def due_lag(self) -> float:
        return 0.0


async def test_a_task_that_loses_a_cancellation_is_ended_all_the_same():
    """However often a cancellation is swallowed on its way through a client, the task is over in the end."""
    swallowed = 0

    async def step() -> None:
        nonlocal swallowed
        if swallowed < 2:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3_600)
            swallowed += 1

    task = asyncio.create_task(every(0, step, SystemClock()))
    await asyncio.sleep(0)
    await asyncio.wait_for(end([task]), 10)
    assert (swallowed, task.cancelled()) == (2, True)


async def test_the_schedules_of_the_start_are_spared_by_garbage_collection():
    """Once all schedules are registered, and not before, what there is is set apart from later collections."""
    engine = StartingEngine(LoopHealth(0, 0))
    before = gc.get_freeze_count()
    try:
        await spare_garbage_collection(engine, ManualClock())
        assert engine.looks == 3
        assert gc.get_freeze_count() > before + 1_000
    finally:
        gc.unfreeze()
