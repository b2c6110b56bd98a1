"""How the parts of a scheduler process are kept going, and ended."""

import asyncio
import contextlib

from financehub_scheduler.service import end, every
from financehub_shared.clock import SystemClock


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
