"""A follower with two schedulers against a small model: which successes are due, and when each run is enqueued."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import redis
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from financehub_scheduler.catch_up import GRACE_SECONDS
from financehub_scheduler.core.changes import Changes
from financehub_shared.core.clock import ManualClock
from financehub_shared.recurrence.recurrence import jitter_offset
from financehub_shared.redis import keys
from support.hand_driven import Scheduler, T, build
from support.schedules import messages, schedule

PRICES, FOLLOWER = (f"5d1c1a64-8a63-5a0e-9b0a-00000000000{number}" for number in (1, 2))
#: Numbers of the two schedulers, and the seconds of jitter of the specs.
NUMBERS, JITTERS = (0, 1), (0, 3, 9)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.sampled_from([0.001, 0.4, 1.0, 2.5])),
        st.tuples(st.just("succeed"), st.sampled_from([0.0, 0.0004, 0.3])),
        st.tuples(st.just("succeed and pass"), st.sampled_from([0.001, 0.4, 1.0])),
        st.tuples(st.just("succeed and look"), st.sampled_from(NUMBERS)),
        st.tuples(st.just("look"), st.sampled_from(NUMBERS)),
        st.tuples(st.just("restart"), st.sampled_from(NUMBERS)),
        st.tuples(st.just("edit"), st.sampled_from(JITTERS)),
        st.tuples(st.just("suspend"), st.booleans()),
        st.tuples(st.just("delete"), st.just(0)),
    ),
    min_size=6,
    max_size=30,
)


@dataclass
class Model:
    """What must happen. All times are whole milliseconds after T.

    Args:
        now: The current time.
        jitter: `spec.jitterSeconds`.
        suspended: `spec.suspend`.
        since: Time of the last change of the follower.
        mark: The newest due time that is settled.
        newest: The newest success of the predecessor, which Redis has.
        pending: Due times that an edit has kept.
        known: The due times that each scheduler knows.
        runs: The due times that were enqueued, in order.
    """

    now: int = 500
    jitter: int = 0
    suspended: bool = False
    since: int = 500
    mark: int = 500
    newest: int | None = None
    pending: set[int] = field(default_factory=set)
    known: list[set[int]] = field(default_factory=lambda: [set(), set()])
    runs: list[int] = field(default_factory=list)

    def enqueue_time(self, due: int) -> int:
        return max(due + round(jitter_offset(FOLLOWER, self.jitter) * 1000), self.since)

    def look(self, number: int) -> None:
        """A scheduler finds the newest success, if it is later than the last change and not settled."""
        if self.newest is not None and self.newest > max(self.since, self.mark) and not self.suspended:
            self.known[number].add(self.newest)

    def settle(self) -> None:
        """Both schedulers enqueue what they know and what is to be enqueued by now."""
        for known in [] if self.suspended else self.known:
            for due in sorted(self.pending | known):
                if due > self.mark and self.enqueue_time(due) <= self.now:
                    self.runs.append(due)
                    self.mark = due

    def change(self, jitter: int, *, suspended: bool) -> None:
        """The follower is edited. Due times that wait are kept, unless they are long overdue or it is suspended."""
        waiting: set[int] = set()
        if not self.suspended and not suspended:
            # The first scheduler registers the edit.
            waiting = self.pending | self.known[0] | ({self.newest} if (self.newest or 0) > self.since else set())
        in_time = self.now - GRACE_SECONDS * 1000
        self.pending = {due for due in waiting if due > self.mark and self.enqueue_time(due) >= in_time}
        self.jitter, self.suspended, self.since, self.known = jitter, suspended, self.now, [set(), set()]
        if not self.pending:
            self.mark = max(self.mark, self.now)

    def restart(self, number: int) -> None:
        """A scheduler forgets what it knows. Redis has the newest success and the pending due times."""
        self.known[number] = set()


@dataclass
class World:
    """Two schedulers on one Redis, and the model."""

    url: str
    client: "redis.Redis"
    clock: ManualClock
    schedulers: list[Scheduler]
    model: Model

    def follower(self) -> Any:
        """Return the follower as the model has it."""
        spec = {"jitterSeconds": self.model.jitter, "suspend": self.model.suspended}
        return schedule("follower", FOLLOWER, after="prices", concurrencyPolicy="Allow", catchUp="All", **spec)

    async def load(self, *numbers: int) -> None:
        prices = schedule("prices", PRICES, schedule="0 0 1 1 *")
        for number in numbers:
            await self.schedulers[number].load(prices, self.follower())

    async def settle(self) -> None:
        for scheduler in self.schedulers:
            await scheduler.step_until_idle()
        self.model.settle()

    async def _restart(self, number: int) -> None:
        await self.schedulers[number].connection.aclose()
        self.schedulers[number] = build(self.url, self.clock, self.client)
        await self.load(number)
        self.model.restart(number)

    async def _change(self, jitter: int, *, suspended: bool) -> None:
        if (jitter, suspended) != (self.model.jitter, self.model.suspended):
            self.model.change(jitter, suspended=suspended)
            await self.load(*NUMBERS)

    async def _replace_predecessor(self) -> None:
        """Delete the predecessor and create it again, with the same uid, as a file that is moved away and back."""
        for scheduler in self.schedulers:
            scheduler.engine.apply(Changes(removed=[PRICES]))
            await scheduler.step_until_idle()
        self.model.newest = None
        await self.load(*NUMBERS)

    async def act(self, name: str, value: Any) -> None:
        """Do one thing in the world and in the model, and enqueue what is due."""
        model = self.model
        match name:
            case "pass":
                model.now += round(value * 1000)
                self.clock.set_wall(T + model.now / 1000)
            case "succeed":
                # A success may be recorded a moment after its end, but none is older than the one before it.
                ended = max(model.now / 1000 - value, (model.newest or 0) / 1000)
                self.client.hset(keys.schedule(PRICES), "last_success_at", f"{T + ended:.6f}")
                model.newest = -int(-round(ended * 1_000_000) // 1000)
            case "succeed and pass":
                await self.act("succeed", 0.0)
                await self.act("pass", value)
            case "succeed and look":
                await self.act("pass", 0.3)
                await self.act("succeed", 0.0)
                await self.act("look", value)
            case "look":
                await self.schedulers[value].followers.step()
                model.look(value)
            case "restart":
                await self._restart(value)
            case "edit":
                await self._change(value, suspended=model.suspended)
            case "suspend":
                await self._change(model.jitter, suspended=value)
            case "delete":
                await self._replace_predecessor()
        await self.settle()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_runs_of_a_follower_are_those_of_the_model(
    redis_url: str, redis_client: "redis.Redis", actions: list[tuple[str, Any]]
) -> None:
    """Whatever happens, each success that counts has one run, at its time, and no other run exists."""

    async def check() -> None:
        redis_client.flushall()
        clock = ManualClock(T + 0.5)
        schedulers = [build(redis_url, clock, redis_client) for _ in NUMBERS]
        world = World(redis_url, redis_client, clock, schedulers, Model())
        try:
            await world.load(*NUMBERS)
            # At the end, everything that is known is enqueued, in steps that are in time.
            for name, value in [*actions, *[("look", 0), ("look", 1), *[("pass", 1.0)] * 10]]:
                await world.act(name, value)
                runs = [message["options"]["due_at"] - round(T * 1000) for message in messages(redis_client)]
                assert runs == world.model.runs, (name, value, replace(world.model))
            event(f"runs: {min(len(world.model.runs), 3)}")
        finally:
            for scheduler in world.schedulers:
                await scheduler.connection.aclose()

    asyncio.run(check())
