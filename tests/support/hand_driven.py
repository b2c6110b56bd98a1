"""A scheduler on a real Redis that a test steps manually, with a clock that only the test advances."""

import uuid
from dataclasses import dataclass, field

import redis
import redis.asyncio

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.followers import Followers
from financehub_scheduler.core.listener import Listeners, SchedulerListener
from financehub_scheduler.core.membership import Membership
from financehub_scheduler.core.next_runs import NextRunPublisher
from financehub_scheduler.core.on_demand import OnDemandRuns
from financehub_scheduler.core.pauses import Pauses
from financehub_scheduler.core.reporter import Reporter
from financehub_scheduler.core.run_log import RunLog
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import Enqueuer, EnqueueResult, RunSubmission, encode
from financehub_scheduler.redis.members import Members
from financehub_scheduler.redis.predecessors import PredecessorReader
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.metrics import Metrics
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect_async
from support.redis_server import PATIENT_SECONDS
from support.schedules import messages

#: The time at which the tests start, which is a full minute.
T = 1_800_000_000.0
YEAR = 365.0 * DAY_SECONDS


@dataclass
class Scheduler:
    """The components of one scheduler, without its timers. The test calls each step."""

    clock: ManualClock
    engine: Engine
    shares: Shares
    membership: Membership
    on_demand: OnDemandRuns
    pauses: Pauses
    followers: Followers
    reporter: Reporter
    publisher: NextRunPublisher
    registry: Registry
    enqueuer: Enqueuer
    metrics: Metrics
    connection: "redis.asyncio.Redis"
    client: "redis.Redis"
    #: Additional listeners. A test may append to this list.
    listeners: list[SchedulerListener]
    #: Name of a schedule → why its arguments are refused.
    refused: dict[str, str] = field(default_factory=dict)

    async def load(self, *schedules: Schedule, keep_known_state: bool = True) -> None:
        """Apply schedules and enqueue what is due."""
        if not keep_known_state:
            # The process does this every 30 s.
            await self.registry.claim(list(self.engine.states), self.clock.now())
        self.engine.apply(Changes(schedules, keep_known_state=keep_known_state))
        await self.step_until_idle()

    async def step_until_idle(self) -> None:
        """Step the loop until there is nothing left to do at this time."""
        while await self.engine.step() == 0.0:
            pass

    async def pass_time(self, seconds: float) -> None:
        """Advance the clock, then step the loop until there is nothing left to do."""
        self.clock.advance(seconds)
        await self.step_until_idle()

    async def submit(self, *runs: RunSubmission) -> list[EnqueueResult]:
        """Enqueue and record runs without the engine."""
        now = self.clock.now()
        results = await self.enqueuer.submit([encode(run, now) for run in runs], now)
        enqueued = [(run, now) for run, result in zip(runs, results, strict=True) if result.outcome == "enqueued"]
        await self.enqueuer.record_enqueued_runs(enqueued)
        return results

    async def outcomes(self, *runs: RunSubmission) -> list[str]:
        """Enqueue and record runs without the engine, and return the outcome of each."""
        return [str(result.outcome) for result in await self.submit(*runs)]

    def due(self, queue: str = "q") -> list[float]:
        """Return the due times of the messages in a queue, in seconds after T."""
        return [message["options"]["due_at"] / 1000 - T for message in messages(self.client, queue)]

    def field(self, uid: str, name: str) -> str | None:
        """Return one field of a schedule record."""
        value = self.client.hget(keys.schedule(uid), name)
        return value.decode() if isinstance(value, bytes) else None

    def end_run(self, message_id: str, state: str = "succeeded", queue: str = "q") -> None:
        """Write to Redis what a worker writes at the end of a run."""
        self.client.lrem(f"dramatiq:{queue}", 0, message_id)
        self.client.hdel(f"dramatiq:{queue}.msgs", message_id)
        self.client.hset(keys.run(message_id), "state", state)


def build(
    url: str,
    clock: ManualClock,
    client: "redis.Redis",
    *,
    ahead_limit: float = 10 * YEAR,
    record_delay_seconds: float = 0,
    timeout: float = PATIENT_SECONDS,
) -> Scheduler:
    """Build one scheduler as the composition root does. It joins the members in `membership.step`.

    By default, its clock may be years ahead of the Redis clock, it records runs without a delay, and it waits for a
    reply of a busy Redis, whose silence is an outage after `timeout` seconds.
    """
    connection = connect_async(url, retries=1, timeout=timeout)
    metrics = Metrics("scheduler")
    states: dict[str, ScheduleState] = {}
    reporter, registry = Reporter(metrics, states), Registry(connection, ahead_limit)
    enqueuer = Enqueuer(connection, 3_600, ahead_limit)
    refused: dict[str, str] = {}
    shares = Shares(clock, uuid.uuid4().hex)
    listeners: list[SchedulerListener] = [RunLog(), reporter]
    outward = Listeners(listeners)
    on_demand = OnDemandRuns(clock, connection, enqueuer, states, outward, shares)
    publisher = NextRunPublisher(clock, registry, reporter, states, shares)
    engine = Engine(
        clock,
        registry,
        enqueuer,
        states,
        Listeners([outward, on_demand, publisher]),
        lambda schedule: refused.get(schedule.name, ""),
        record_delay_seconds,
        shares,
    )
    return Scheduler(
        clock,
        engine,
        shares,
        Membership(Members(connection, shares.id), engine, shares, clock),
        on_demand,
        Pauses(connection, engine, clock),
        Followers(PredecessorReader(connection), engine, clock, shares),
        reporter,
        publisher,
        registry,
        enqueuer,
        metrics,
        connection,
        client,
        listeners,
        refused,
    )
