"""Decides which of several schedulers submits a due run: each schedule has one owner among the live schedulers.

The owner of a schedule is the member with the highest hash of member and schedule (rendezvous hashing), so all members
choose the same one without talking to each other, and a member that joins or leaves moves only its own share. The
others wait a moment, and then take over what the owner has not settled. This saves work and decides nothing else: a run
that two schedulers submit is enqueued once, because of its fence in Redis.
"""

from collections.abc import Collection
from hashlib import blake2b

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.core.clock import Clock

#: Seconds after the enqueue time at which the first of the other members takes over. A burst of 10,000 runs takes half
#: of it, and a killed scheduler's runs are at most a second late.
TAKE_OVER_SECONDS = 0.5
#: Further seconds for each further member, so that only one of them takes over, and the maximum number of such steps.
_STEP_SECONDS = 0.1
_MAX_STEPS = 4
#: Seconds for which a schedule that was taken over counts as our own: the first time, and at most. The owner may hang
#: or may not have the schedule, and the next runs must not be late. The time doubles with each takeover in a row, so
#: that an owner that never has the schedule costs little.
_ADOPTION_SECONDS = (60.0, 3_600.0)
#: Shortest `startingDeadlineSeconds` with which the others wait, because a run that is taken over has less time left.
_SHORTEST_WINDOW_SECONDS = 10


class Shares:
    """The shares of the members, from the view of one scheduler. Without other members, it owns everything.

    Args:
        clock: The clock.
        id: Id of this scheduler.
    """

    def __init__(self, clock: Clock, id: str = "") -> None:
        self._clock = clock
        self._id = id.encode()
        self._members: frozenset[bytes] = frozenset()
        self._others: tuple[bytes, ...] = ()
        #: uid → number of members that precede this scheduler, for the schedules that were looked for.
        self._ranks: dict[str, int] = {}
        #: uid → monotonic time at which an adoption ends, and its length in seconds.
        self._adopted: dict[str, tuple[float, float]] = {}

    @property
    def id(self) -> str:
        """Id of this scheduler."""
        return self._id.decode()

    def set_members(self, members: Collection[bytes]) -> bool:
        """Adopt the members that Redis has, and return whether they have changed.

        Args:
            members: Ids of all members. This scheduler is among them if it is a member itself.
        """
        if (found := frozenset(members)) == self._members:
            return False
        self._members, self._others = found, tuple(sorted(found - {self._id}))
        self._ranks.clear()
        self._adopted.clear()
        return True

    def rank(self, uid: str) -> int:
        """Return the number of members that come before this scheduler as the owner of a schedule; 0 for the owner."""
        if not self._others:
            return 0
        if self._id not in self._members:
            return len(self._others)
        known = self._ranks.get(uid)
        if known is None:
            key = uid.encode()
            ours = _weight(self._id, key)
            known = self._ranks[uid] = sum(_weight(other, key) > ours for other in self._others)
        return known

    def owns(self, uid: str) -> bool:
        """Whether this scheduler is the owner of a schedule, or has adopted it."""
        if self.rank(uid) == 0:
            return True
        until, _ = self._adopted.get(uid, (0.0, 0.0))
        return self._clock.monotonic() < until

    def wait_seconds(self, schedule: Schedule) -> float | None:
        """Return the seconds to wait for the owner of a schedule; None if it is this scheduler.

        Nobody waits if the owner may learn of the due time later than others, or if a late run has little time left.
        """
        if self.owns(schedule.uid):
            return None
        window = schedule.starting_deadline_seconds
        if schedule.after or (window is not None and window < _SHORTEST_WINDOW_SECONDS):
            return 0.0
        return TAKE_OVER_SECONDS + _STEP_SECONDS * min(self.rank(schedule.uid) - 1, _MAX_STEPS)

    def took_over(self, schedule: Schedule) -> bool:
        """Adopt a schedule, because this scheduler had to settle a due time of its owner. Return whether it had to.

        If nobody waits for the owner, being faster does not show that the owner does not work.
        """
        if not self.wait_seconds(schedule):
            return False
        first, longest = _ADOPTION_SECONDS
        _, before = self._adopted.get(schedule.uid, (0.0, first / 2))
        seconds = min(2 * before, longest)
        self._adopted[schedule.uid] = (self._clock.monotonic() + seconds, seconds)
        return True

    def owner_works(self, uid: str) -> None:
        """End the adoption and the row of takeovers of a schedule, because another scheduler has settled a due time."""
        self._adopted.pop(uid, None)

    def forget(self, uid: str) -> None:
        """Forget a schedule that was removed."""
        self._ranks.pop(uid, None)
        self._adopted.pop(uid, None)


def _weight(member: bytes, uid: bytes) -> bytes:
    return blake2b(uid, key=member[:64], digest_size=8).digest()
