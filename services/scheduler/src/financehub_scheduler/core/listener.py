"""The interface through which the engine and the on-demand runs report events.

The composition root passes a listener to the constructors of both. `Listeners` forwards each call to several listeners.
"""

from collections.abc import Sequence

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission


class SchedulerListener:
    """Ignores all events. Subclasses override the methods that they need. A method must neither block nor fail."""

    def schedule_registered(self, schedule: Schedule) -> None:
        """Redis has registered a new or known schedule."""

    def schedule_removed(self, schedule: Schedule) -> None:
        """The engine has dropped a schedule, because it was deleted or deactivated."""

    def schedule_superseded(self, schedule: Schedule) -> None:
        """Another scheduler has registered a different state of a schedule, so it has no next run here for now."""

    def next_run_changed(self, uid: str) -> None:
        """The next due time of a schedule has changed, or the reason why it has none."""

    def run_answered(self, run: RunSubmission, outcome: EnqueueOutcome, at: float) -> None:
        """Redis has replied for a run.

        Args:
            run: The run.
            outcome: Redis's reply.
            at: Time of the reply, Unix seconds.
        """

    def runs_taken_over(self, schedules: Sequence[Schedule]) -> None:
        """This scheduler has settled a due run of each of these schedules, because its owner did not."""

    def backfill_changed(self, uid: str, state: str, message: str) -> None:
        """A backfill has started or ended. Of several schedulers, only the one that made the change reports it.

        Args:
            uid: Uid of its schedule.
            state: `started`, `finished` or `refused`.
            message: Number of its runs, or the reason for the refusal.
        """


class Listeners(SchedulerListener):
    """Forwards every call to several listeners, in order.

    Args:
        listeners: The listeners.
    """

    def __init__(self, listeners: Sequence[SchedulerListener]) -> None:
        self._listeners = listeners

    def schedule_registered(self, schedule: Schedule) -> None:
        for listener in self._listeners:
            listener.schedule_registered(schedule)

    def schedule_removed(self, schedule: Schedule) -> None:
        for listener in self._listeners:
            listener.schedule_removed(schedule)

    def schedule_superseded(self, schedule: Schedule) -> None:
        for listener in self._listeners:
            listener.schedule_superseded(schedule)

    def next_run_changed(self, uid: str) -> None:
        for listener in self._listeners:
            listener.next_run_changed(uid)

    def run_answered(self, run: RunSubmission, outcome: EnqueueOutcome, at: float) -> None:
        for listener in self._listeners:
            listener.run_answered(run, outcome, at)

    def runs_taken_over(self, schedules: Sequence[Schedule]) -> None:
        for listener in self._listeners:
            listener.runs_taken_over(schedules)

    def backfill_changed(self, uid: str, state: str, message: str) -> None:
        for listener in self._listeners:
            listener.backfill_changed(uid, state, message)
