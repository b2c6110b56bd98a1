"""What may happen to a backfill: it runs the due times of its range, and ends when none is left. In milliseconds.

A backfill runs the due times of the registered spec. An edit may therefore give it more of them, or fewer. One that had
nothing left at any moment since its request may end, because the scheduler that ends it may have looked at that moment.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from financehub_shared.redis import keys
from simulation.model import Backfill, ViolationError
from simulation.wire import Request

if TYPE_CHECKING:
    from simulation.oracle import Oracle

_RECORD, _UNFINISHED = keys.backfill("").encode(), keys.SCHEDULE_BACKFILLS.encode()


class BackfillRules:
    """Follows the backfills.

    Args:
        oracle: The model.
    """

    def __init__(self, oracle: "Oracle") -> None:
        self._oracle = oracle
        #: Backfill id → its record, for those of annotations.
        self._annotated: dict[str, dict[str, str]] = {}
        #: Ids of backfills of which nothing was left at some moment, and of those whose schedule was then deleted or a
        #: follower. A scheduler may still know this after Redis has gone back to an earlier state.
        self._complete: set[str] = set()
        self._refusable: set[str] = set()

    def request(self, id: str, uid: str, cursor: int, end: int) -> None:
        """A backfill is requested, or again after it has ended, such as by an annotation."""
        known = self._oracle.backfills.setdefault(id, Backfill(uid, cursor, end))
        known.is_ended = False
        self.look()

    def observe(self, request: Request, pipeline: Sequence[Request]) -> bool:
        """Follow a command of a scheduler, and return whether it changes a backfill.

        Args:
            request: The command.
            pipeline: All commands that were sent with it.
        """
        match request[0]:
            case b"HSETNX" if request[1].startswith(_RECORD):
                record = self._annotated.setdefault(request[1].removeprefix(_RECORD).decode(), {})
                record.setdefault(request[2].decode(), request[3].decode())
            case b"SADD" if request[1] == _UNFINISHED:
                id = request[2].decode()
                record = self._annotated[id]
                self.request(id, record["uid"], int(record["cursor"]), round(float(record["end"]) * 1000))
            case b"SREM" if request[1] == _UNFINISHED:
                self._end(request[2].decode(), _state_of(request[2], pipeline))
            case _:
                return False
        return True

    def look(self) -> None:
        """Note which backfills may end from now on: after each request, each run of a backfill and each edit."""
        for id, backfill in self._oracle.backfills.items():
            known = self._oracle.schedules.get(backfill.uid)
            if backfill.is_ended or known is None or known.fingerprint == "deactivated":
                continue
            if known.fingerprint == "deleted" or known.due_times is None:
                self._refusable.add(id)
            elif not self.left(backfill):
                self._complete.add(id)

    def left(self, backfill: Backfill) -> Sequence[int]:
        """Return the due times that a backfill of a registered schedule still has to run; none for a follower."""
        times = self._oracle.schedules[backfill.uid].due_times
        return times.between(backfill.cursor, backfill.end) if times else ()

    def forget(self) -> None:
        """Redis has lost everything."""
        self._complete.clear()
        self._refusable.clear()

    def _end(self, id: str, state: str) -> None:
        backfill = self._oracle.backfills.get(id)
        if backfill is None or backfill.is_ended:
            # Another scheduler has ended it, or Redis has lost it.
            return
        self._oracle.count(f"backfill is {state}")
        known = self._oracle.schedules.get(backfill.uid)
        may = {"finished": self._complete, "refused": self._refusable}.get(state, set())
        if id not in may:
            left = self.left(backfill) if known and known.is_live else ()
            raise ViolationError(
                f"the backfill {id} ends as {state or 'lost'} after {backfill.cursor}, but {len(left)} due times are "
                f"left: {list(left[:3])}"
            )
        backfill.is_ended = True


def _state_of(id: bytes, pipeline: Sequence[Request]) -> str:
    """Return the state that a pipeline gives a backfill; empty if none."""
    for request in pipeline:
        if request[0] == b"HSET" and request[1] == _RECORD + id:
            fields = dict(zip(request[2::2], request[3::2], strict=True))
            return fields.get(b"state", b"").decode()
    return ""
