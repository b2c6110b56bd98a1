"""The scheduler's series of schedules, queues and tasks disappear with them (F17)."""

from uuid import UUID, uuid5

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.reporter import MAX_LABELS
from support.hand_driven import Scheduler
from support.schedules import UID, schedule


def count(scheduler: Scheduler) -> int:
    """Return the number of all series."""
    return sum(len(family.samples) for family in scheduler.metrics.registry.collect())


async def test_schedules_that_come_and_go_leave_no_series(scheduler: Scheduler):
    """The number of series is the same before and after 300 schedules, each with its own queue and task."""
    await scheduler.load(schedule())
    await scheduler.pass_time(60)
    await scheduler.publisher.step()
    await scheduler.pass_time(60)  # the previous run is still queued, so this one is skipped
    before = count(scheduler)
    for batch in range(3):
        uids = [str(uuid5(UUID(UID), f"{batch} {number}")) for number in range(100)]
        own = {"task": f"task{batch}", "schedule": "@every 1m"}
        await scheduler.load(*(schedule(f"s{batch}-{n}", uid, queue=f"q{n}", **own) for n, uid in enumerate(uids)))
        await scheduler.pass_time(60)
        await scheduler.publisher.step()
        await scheduler.pass_time(60)
        assert count(scheduler) > before + 100
        scheduler.engine.apply(Changes(removed=uids))
        await scheduler.step_until_idle()
        await scheduler.publisher.step()
        assert count(scheduler) == before


async def test_schedules_beyond_the_limit_share_their_series(scheduler: Scheduler):
    """Another 100 schedules beyond the limit add no series."""

    async def load(first: int, number: int) -> int:
        names = range(first, first + number)
        uids = {name: str(uuid5(UUID(UID), str(name))) for name in names}
        await scheduler.load(*(schedule(f"s{name}", uids[name], task=f"t{name}", queue="q") for name in names))
        await scheduler.pass_time(60)
        await scheduler.publisher.step()
        await scheduler.pass_time(60)
        return count(scheduler)

    full = await load(0, MAX_LABELS + 10)
    assert await load(MAX_LABELS + 10, 100) == full
