"""Hand-driven schedulers that are members and share the schedules, for tests of what each of them does."""

import uuid
from typing import Any

import redis

from financehub_scheduler.core.claims import Claims
from financehub_shared.redis import keys
from support.hand_driven import Scheduler
from support.schedules import UID, schedule


def allow(**spec: Any) -> dict[str, Any]:
    """Return a spec that allows overlaps."""
    return {"concurrencyPolicy": "Allow", **spec}


def members(client: "redis.Redis") -> set[str]:
    """Return the ids of all members."""
    return {id.decode() for id in client.zrange(keys.SCHEDULERS, 0, -1)}


async def join(*schedulers: Scheduler) -> None:
    """Make all of the schedulers members, and let each read the others."""
    # On a slow machine, the first membership may end before the last scheduler has read it.
    while sorted(each.shares.rank(UID) for each in schedulers) != list(range(len(schedulers))):
        for each in (*schedulers, *schedulers):
            await each.membership.step()


async def load(schedulers: list[Scheduler], *schedules: Any) -> None:
    """Let all schedulers register the same schedules and become members."""
    for each in schedulers:
        await each.load(*schedules)
    await join(*schedulers)


def by_rank(schedulers: list[Scheduler], uid: str = UID) -> list[Scheduler]:
    """Return the owner of a schedule, and then those that take over from it, in order."""
    return sorted(schedulers, key=lambda each: each.shares.rank(uid))


async def pass_time(schedulers: list[Scheduler], seconds: float) -> None:
    """Advance all clocks, and step all schedulers."""
    for each in schedulers:
        each.clock.advance(seconds)
    for each in schedulers:
        await each.step_until_idle()


def claims(scheduler: Scheduler) -> Claims:
    """Return the claims of a scheduler."""
    engine = scheduler.engine
    return Claims(scheduler.registry, engine, scheduler.publisher, engine.states, scheduler.clock, scheduler.shares)


def many(count: int, **spec: Any) -> list[Any]:
    """Return schedules that are due every minute."""
    return [schedule(f"s{n}", uid=str(uuid.uuid5(uuid.NAMESPACE_OID, str(n))), **allow(**spec)) for n in range(count)]


class Work:
    """Counts what Redis does: scripts, and the schedules that scripts read one by one."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client: Any = client

    def restart(self) -> None:
        """Begin to count."""
        self._client.config_resetstat()

    def calls(self, command: str) -> int:
        """Return the number of calls of a command since the beginning, also by scripts."""
        return int(self._client.info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0))

    def commands(self) -> int:
        """Return the number of all commands since the beginning, also of those in scripts."""
        return sum(int(each["calls"]) for each in self._client.info("commandstats").values())
