"""Step 1 of the loop: registers what the source reports, and what Redis has lost."""

from collections import Counter
from collections.abc import Callable, Iterable

import structlog

from financehub_scheduler.core.answers import Answers
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.planner import Planner
from financehub_scheduler.core.registration import PendingRegistrations
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)


class Registrar:
    """Sends changes of schedules to Redis, and gives the planner what Redis replies.

    Args:
        clock: The clock.
        registry: The registry of schedules in Redis.
        states: uid → state of each active schedule.
        planner: Plans the next run of each registered schedule.
        listener: Is notified of registered schedules.
        on_reply: Is called whenever Redis has replied.
    """

    def __init__(
        self,
        clock: Clock,
        registry: Registry,
        states: dict[str, ScheduleState],
        planner: Planner,
        listener: SchedulerListener,
        on_reply: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._states = states
        self._planner = planner
        self._listener = listener
        self._on_reply = on_reply
        self._pending = PendingRegistrations(registry)

    @property
    def pending(self) -> bool:
        """Whether there are changes that Redis has not confirmed."""
        return self._pending.pending

    @property
    def all_registered(self) -> bool:
        """Whether everything that the source has reported is registered."""
        return self._pending.all_registered

    def add(self, changes: Changes) -> None:
        """Add the changes that a source reported."""
        self._pending.add(changes, self._clock.now(), self._states)

    def restore(self, uids: Iterable[str]) -> None:
        """Register again the schedules that Redis has lost, with the high-water marks that we know by then."""
        self._pending.repeat((state.schedule, state.since) for uid in uids if (state := self._states.get(uid)))

    def repeat_superseded(self, observed_at: float) -> None:
        """Register again the superseded schedules that our source still has.

        Usually, the other scheduler has seen a newer state, which our source reports within seconds. If it does not,
        the other scheduler's source differs permanently or was outdated itself, and our schedule must keep running if
        that scheduler ends.

        Args:
            observed_at: Time at which our source last confirmed its schedules, monotonic seconds.
        """
        now = self._clock.now()
        superseded = (
            (state.schedule, now)
            for state in self._states.values()
            if state.superseded_at is not None and state.superseded_at <= observed_at
        )
        self._pending.repeat(superseded, confirmed=True)

    async def step(self, answers: Answers) -> None:
        """Remove, deactivate and register schedules, one batch of each.

        Args:
            answers: The answers that the loop has not processed yet.

        Raises:
            redis.RedisError: Redis did not reply or returned an error. What it has not confirmed stays pending.
        """
        for uid in await self._pending.unregister():
            if state := self._planner.remove(uid):
                log.info("schedule_removed", schedule=state.schedule.name)
        for uid in await self._pending.deactivate():
            self._planner.remove(uid)
        if self._pending.ends_pending:
            # The next step goes on. A new schedule must not be registered before one with the same name is removed.
            self._on_reply()
            return
        # A registration replaces the state, and restores its mark if Redis has lost it. If a command of `Firing.fire`
        # failed, the answers to the others still wait.
        answers.process_of(self._pending.next_uids)
        registered = await self._pending.register(self._clock.now(), self._states)
        self._on_reply()
        for registration, result in registered:
            schedule = registration.schedule
            if result.outcome == "created" and result.paused:
                log.warning("schedule_pause_restored", schedule=schedule.name)
            self._planner.add(ScheduleState.registered(schedule, result))
            self._listener.schedule_registered(schedule)
        if counts := Counter[str](result.outcome for _, result in registered):
            log.info("schedules_registered", total=len(self._states), **counts)
