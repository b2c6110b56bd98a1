"""A scheduler on a real Redis that a test drives by hand, with a clock of its own."""

from dataclasses import dataclass, field

import redis
import redis.asyncio

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.next_runs import Outlook
from financehub_scheduler.core.observer import Observer
from financehub_scheduler.core.on_demand import Errands
from financehub_scheduler.core.state import Changes
from financehub_scheduler.redis.enqueuer import Enqueuer, Run, pack
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import ManualClock
from financehub_shared.metrics import Metrics
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect_async
from support.schedules import messages

#: A full minute.
T = 1_800_000_000.0
YEAR = 365 * 86_400.0


@dataclass
class Scheduler:
    """The parts of one scheduler, driven by hand."""

    clock: ManualClock
    engine: Engine
    errands: Errands
    observer: Observer
    outlook: Outlook
    registry: Registry
    enqueuer: Enqueuer
    metrics: Metrics
    connection: "redis.asyncio.Redis"
    client: "redis.Redis"
    #: name of a schedule → why it is refused
    refused: dict[str, str] = field(default_factory=dict)

    async def load(self, *schedules: Schedule, initial: bool = True) -> None:
        """Take over schedules, and fire what is due at once."""
        if not initial:
            # as the process does every 30 s
            await self.registry.claim(list(self.engine.live), self.clock.now())
        self.engine.apply(Changes(schedules, initial=initial))
        await self.settle()

    async def settle(self) -> None:
        """Let the loop do all there is to do now."""
        while await self.engine.step() == 0.0:
            pass

    async def pass_time(self, seconds: float) -> None:
        """Let time pass on both clocks, then let the loop work."""
        self.clock.advance(seconds)
        await self.settle()

    async def submit(self, *runs: Run) -> list[str]:
        """Enqueue by hand."""
        now = self.clock.now()
        verdicts = await self.enqueuer.submit([pack(run, now) for run in runs], now)
        enqueued = [(run, now) for run, verdict in zip(runs, verdicts, strict=True) if verdict == "enqueued"]
        await self.enqueuer.book(enqueued)
        return verdicts

    def due(self, queue: str = "q") -> list[float]:
        """Due times of the messages in a queue, seconds after T."""
        return [message["options"]["due_at"] / 1000 - T for message in messages(self.client, queue)]

    def field(self, uid: str, name: str) -> str | None:
        """One field of a schedule's record."""
        value = self.client.hget(keys.schedule(uid), name)
        return value.decode() if isinstance(value, bytes) else None

    def end_run(self, message_id: str, state: str = "succeeded", queue: str = "q") -> None:
        """Do to Redis what a worker and its monitor do when a run ends."""
        self.client.lrem(f"dramatiq:{queue}", 0, message_id)
        self.client.hdel(f"dramatiq:{queue}.msgs", message_id)
        self.client.hset(keys.run(message_id), "state", state)


def build(
    url: str, clock: ManualClock, client: "redis.Redis", *, ahead_limit: float = 10 * YEAR, book_seconds: float = 0
) -> Scheduler:
    """Wire one scheduler as the composition root does; its clock may be years ahead, and it records runs at once."""
    connection = connect_async(url, retries=1)
    metrics = Metrics("scheduler")
    observer, registry = Observer(metrics), Registry(connection, ahead_limit)
    enqueuer = Enqueuer(connection, 3_600, ahead_limit)
    refused: dict[str, str] = {}
    engine = Engine(clock, registry, enqueuer, observer, lambda schedule: refused.get(schedule.name, ""), book_seconds)
    errands = Errands(clock, connection, enqueuer, observer, engine.live)
    engine.on_registered = errands.registered
    outlook = Outlook(clock, registry, observer, engine)
    return Scheduler(
        clock, engine, errands, observer, outlook, registry, enqueuer, metrics, connection, client, refused
    )
