"""One simulated scheduler process: the real components with the real timers, on a simulated clock and network."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.claims import Claims
from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.followers import INTERVAL_SECONDS as FOLLOWERS_SECONDS
from financehub_scheduler.core.followers import Followers
from financehub_scheduler.core.listener import Listeners, SchedulerListener
from financehub_scheduler.core.membership import Membership
from financehub_scheduler.core.next_runs import PUBLISH_SECONDS, NextRunPublisher
from financehub_scheduler.core.on_demand import INTERVAL_SECONDS, RELEASE_SECONDS, OnDemandRuns
from financehub_scheduler.core.pauses import INTERVAL_SECONDS as PAUSES_SECONDS
from financehub_scheduler.core.pauses import Pauses
from financehub_scheduler.core.reporter import Reporter
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.periodic import every, only_if
from financehub_scheduler.redis.enqueuer import Enqueuer
from financehub_scheduler.redis.members import REFRESH_SECONDS, Members
from financehub_scheduler.redis.predecessors import PredecessorReader
from financehub_scheduler.redis.registry import CLAIM_INTERVAL_SECONDS, FIND_LOSS_SECONDS, Registry
from financehub_shared.metrics import Metrics
from simulation.connection import connect
from simulation.loop import SimLoop
from simulation.network import Network

if TYPE_CHECKING:
    from simulation.world import World

#: Limit of unfinished runs of a schedule, small enough that simulations reach it.
MAX_BACKLOG = 4
_RUN_TTL = 30 * 86_400
#: One for all processes, because making one takes milliseconds and no test reads them.
_METRICS = Metrics("scheduler")

Step = Callable[[], Awaitable[None]]


class SimClock:
    """The clock of one process.

    Args:
        now: Returns the time of the simulation in Unix microseconds.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now, self._boot = now, now()
        #: What the clock shows minus the time of the simulation, in microseconds.
        self.skew = 0
        #: The latest time that it has shown, in Unix microseconds.
        self.latest = 0

    def microseconds(self) -> int:
        """Return the wall-clock time in Unix microseconds."""
        now = self._now() + self.skew
        self.latest = max(self.latest, now)
        return now

    def now(self) -> float:
        return self.microseconds() / 1_000_000

    def monotonic(self) -> float:
        return (self._now() - self._boot) / 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Process:
    """A scheduler process, composed as `app` does.

    Args:
        world: The world.
        network: Its way to Redis.
        number: Its number.
        id: Its id as a member, which differs after a restart.
    """

    def __init__(self, world: "World", network: Network, number: int, id: str) -> None:
        self.world, self.number = world, number
        self.clock = SimClock(world.time)
        self.loop = SimLoop(self.clock.monotonic)
        self.is_frozen = self.is_cut_off = self.is_dead = self.is_disposed = False
        #: What happens to the process as soon as it runs again.
        self._inbox: deque[Callable[[], None]] = deque()
        #: Number of the timer that counts. Older ones are ignored.
        self._timer = 0
        #: uid → generation of the schedule that its source has reported.
        self.known: dict[str, int] = {}
        self.confirmed_at = 0.0
        #: Number of changes of the source that it has seen.
        self.version = 0
        #: Incarnation of a schedule → newest due time that it knows to be settled, in Unix milliseconds.
        self.settled: dict[str, int] = {}
        #: The creations of schedules that it has requested or knows: uid and time in Unix milliseconds.
        self.created: set[tuple[str, int]] = set()
        #: uid → number of changes of the source after which it has found the newest deletion that it knows.
        self.deletions: dict[str, int] = {}
        #: Commands → number of changes of the source that it knew when it sent them for the first time.
        self.sent: dict[tuple[tuple[bytes, ...], ...], int] = {}
        self._is_first = True
        client = connect(network, self)
        states: dict[str, ScheduleState] = {}
        reporter, registry = Reporter(_METRICS, states), Registry(client)
        shares = Shares(self.clock, id)
        enqueuer = Enqueuer(client, _RUN_TTL, max_backlog=MAX_BACKLOG)
        outward = Listeners([reporter, *world.listeners(number)])
        self.on_demand = OnDemandRuns(self.clock, client, enqueuer, states, outward, shares)
        publisher = NextRunPublisher(self.clock, registry, reporter, states, shares)
        listeners: Sequence[SchedulerListener] = [outward, self.on_demand, publisher]
        self.engine = Engine(self.clock, registry, enqueuer, states, Listeners(listeners), lambda _: "", shares=shares)
        membership = Membership(Members(client, id), self.engine, shares, self.clock)
        self.claims = Claims(registry, self.engine, publisher, states, self.clock, shares)

        followers = Followers(PredecessorReader(client), self.engine, self.clock, shares)

        async def claim() -> None:
            await self.claims.renew()
            self.engine.reregister_superseded(self.confirmed_at if world.is_cluster else self.clock.monotonic())

        on_demand, self._claim = self.on_demand, self._redis_step(claim)
        redis_steps: list[tuple[float, Step]] = [
            (INTERVAL_SECONDS, on_demand.step),
            (REFRESH_SECONDS, membership.step),
            (PAUSES_SECONDS, Pauses(client, self.engine, self.clock).step),
            (FOLLOWERS_SECONDS, followers.step),
            (PUBLISH_SECONDS, publisher.step),
            (FIND_LOSS_SECONDS, self.claims.find_loss),
        ]
        steps = [(seconds, self._redis_step(step)) for seconds, step in redis_steps]
        steps.append((CLAIM_INTERVAL_SECONDS, self._claim))
        steps.append((RELEASE_SECONDS, only_if(on_demand.has_released, self._redis_step(on_demand.release_more))))
        self.tasks = [self.loop.create_task(every(seconds, step, self.clock)) for seconds, step in steps]  # type: ignore[arg-type]
        self.main = self.loop.create_task(self._serve(membership))

    async def _serve(self, membership: Membership) -> None:
        await self.engine.run()
        await membership.leave()

    def _redis_step(self, step: Step) -> Step:
        """Do what `periodic.redis_step` does, without its write probe. Unforeseen errors end the process."""

        async def run() -> None:
            try:
                await step()
            except RedisError as error:
                self.engine.on_redis_unavailable(error)
            else:
                self.engine.on_redis_reply()

        return run

    # called by the network ----------------------------------------------------------------------------
    def learn(self, settled: Mapping[str, int], created: Iterable[tuple[str, int]]) -> None:
        """Note what replies have shown: settled due times, and the creations of schedules."""
        self.created.update(created)
        for uid, due in settled.items():
            self.settled[uid] = max(due, self.settled.get(uid, 0))

    def deliver(self, act: Callable[[], None]) -> None:
        """Let something happen to the process, now or as soon as it runs again."""
        if self.is_dead:
            return
        self._inbox.append(act)
        self.wake()

    # called by the world ------------------------------------------------------------------------------
    def wake(self) -> None:
        """Run everything that is ready, and set the timer for the rest."""
        if self.is_frozen or self.is_dead:
            return
        while self._inbox:
            self._inbox.popleft()()
        wait = self.loop.run_until_idle()
        self._timer += 1
        if wait is not None:
            number = self._timer
            # A little later, because Redis and asyncio round differently.
            self.world.at(self.world.time() + int(wait * 1_000_000) + 50, lambda: self._on_timer(number))

    def _on_timer(self, number: int) -> None:
        if number == self._timer:
            self.wake()

    def error(self) -> BaseException | None:
        """Return the error that has ended a task of the process."""
        for task in (self.main, *self.tasks):
            if task.done() and not task.cancelled() and (error := task.exception()):
                return error
        return self.loop.failures[0] if self.loop.failures else None

    def apply(
        self, generations: Mapping[str, int], upserts: Mapping[str, tuple[Schedule, float]], **kinds: Any
    ) -> None:
        """Report the source's schedules to the engine: all changes since the last report."""
        is_first, self._is_first = self._is_first, False
        self.known, self.confirmed_at = dict(generations), self.clock.monotonic()
        since = {uid: since for uid, (_, since) in upserts.items()} if self.world.is_cluster else {}
        changes = Changes(
            [schedule for schedule, _ in upserts.values()],
            since=since,
            keep_known_state=self.world.is_cluster or is_first,
            **kinds,
        )
        self.engine.apply(changes)

    def claim_now(self) -> None:
        """Renew the claims now, instead of within half a minute."""
        self.tasks.append(self.loop.create_task(self._claim()))  # type: ignore[arg-type]
        self.wake()

    def kill(self) -> None:
        """End the process at once, as SIGKILL does."""
        self.is_dead = True

    def dispose(self) -> None:
        """End the tasks of the process, after the scenario. Nothing that they send arrives."""
        self.is_dead = self.is_disposed = True
        for _ in range(100):
            if not (tasks := asyncio.all_tasks(self.loop)):
                break
            for task in tasks:
                task.cancel()
            self.loop.run_until_idle()
        self.loop.close()
