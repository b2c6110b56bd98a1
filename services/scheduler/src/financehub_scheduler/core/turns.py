"""Decides when a scheduler does work that every scheduler sees, such as a request.

The owner of the schedule does it at once. The others wait a moment, and try again rarely. They cannot know whether the
owner has the schedule and works, and the work may be impossible at the moment for everyone, such as a buffered run
whose previous run has not ended.
"""

from collections.abc import Hashable

from financehub_scheduler.core.shares import Shares
from financehub_shared.core.clock import Clock

#: Seconds after which the next in rank tries what the owner has left, and further seconds for each further one.
FIRST_SECONDS, STEP_SECONDS = 2.0, 1.0
#: Seconds between two attempts of a scheduler that is not the owner.
AGAIN_SECONDS = 60.0


class Turns:
    """Remembers the pieces of work that belong to other schedulers' shares.

    Args:
        clock: The clock.
        shares: Decides which schedules belong to this scheduler.
    """

    def __init__(self, clock: Clock, shares: Shares) -> None:
        self._clock = clock
        self._shares = shares
        #: Piece of work → monotonic time of the next attempt, as this step and the last one have seen them.
        self._at: dict[Hashable, float] = {}
        self._at_before: dict[Hashable, float] = {}

    def begin_step(self) -> None:
        """Forget what the last step has not seen, because it is done."""
        self._at_before, self._at = self._at, {}

    def is_ours(self, uid: str, work: Hashable) -> bool:
        """Whether this scheduler should do a piece of work now. Ask once in each step.

        Args:
            uid: Uid of its schedule.
            work: Identifies it.
        """
        if self._shares.owns(uid):
            return True
        now = self._clock.monotonic()
        at = self._at_before.get(work, now + FIRST_SECONDS + STEP_SECONDS * (self._shares.rank(uid) - 1))
        is_time = at <= now
        self._at[work] = now + AGAIN_SECONDS if is_time else at
        return is_time
