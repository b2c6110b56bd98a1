"""What a registration may do: create a schedule, change it, or leave it as it is. All times are milliseconds."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from financehub_shared.recurrence.recurrence import jitter_offset
from simulation.catch_up_rules import IN_TIME, MOST_CAUGHT_UP
from simulation.model import Schedule, ViolationError

if TYPE_CHECKING:
    from simulation.network import Command
    from simulation.oracle import Oracle

_AHEAD, _UNCLAIMED = 60_000, 90_000
#: Differences between whole and fractional milliseconds.
_ROUNDING = 2


class RegistrationRules:
    """Checks the replies of register.lua, and follows them.

    Args:
        oracle: The model.
    """

    def __init__(self, oracle: "Oracle") -> None:
        self._oracle = oracle
        #: uid → mark of the schedule at the first step of an edit that waits for its second one.
        self._counted_from: dict[str, int] = {}

    def check(
        self,
        context: Mapping[str, Any],
        entries: Sequence[Mapping[str, Any]],
        replies: Sequence[Any],
        latest: int,
        redis_now: int,
        command: "Command",
    ) -> None:
        """Check a batch.

        Args:
            context: The context of the script.
            entries: Its entries.
            replies: Its replies.
            latest: The latest time that the clock of the scheduler had shown.
            redis_now: Time of Redis.
            command: The command. It gets the creations that the replies show.
        """
        if context["now"] > latest + _ROUNDING:
            raise ViolationError(f"a registration of {latest} at the latest says that it is {context['now']}")
        now = self._limited(context["now"], redis_now)
        for entry, reply in zip(entries, replies, strict=True):
            self._check(entry, reply, now, redis_now, command)
            if reply[0] != b"edited":
                self._oracle.claims[entry["uid"]] = now
                self._oracle.claimed.add(entry["uid"])
                created = entry["uid"], self._oracle.schedules[entry["uid"]].created_at
                command.created.add(created)
                if reply[0] == b"created":
                    self._check_known(entry, command)
                    # The scheduler has requested it, also if the reply does not arrive.
                    command.process.created.add(created)

    @staticmethod
    def _limited(time: int, redis_now: int) -> int:
        return redis_now if time > redis_now + _AHEAD else time

    def _check(
        self, entry: Mapping[str, Any], reply: Sequence[Any], now: int, redis_now: int, command: "Command"
    ) -> None:
        uid, result = entry["uid"], reply[0].decode()
        self._oracle.count(f"register {result}")
        known = self._oracle.schedules.get(uid)
        expected = self._expected(entry, known, now)
        if result != expected:
            raise ViolationError(f"{entry['name']} was {result}, but it had to be {expected}")
        match result:
            case "edited":
                assert known is not None
                self._counted_from.setdefault(uid, known.mark)
                return
            case "created":
                self._create(entry, known, now, redis_now, command)
            case "changed":
                assert known is not None
                self._change(entry, known, now, redis_now)
            case _:
                assert known is not None
                # A deactivation that the source does not confirm ends as if it had never happened.
                known.fingerprint = entry["fingerprint"]
        current = self._oracle.schedules[uid]
        if int(reply[1]) != current.mark or round(float(reply[2]) * 1000) != current.since:
            problem = (
                f"mark {int(reply[1])} and change {float(reply[2])}, but it has {current.mark} and {current.since}"
            )
            raise ViolationError(f"the scheduler was told that {current.name} has the {problem}")
        if round(float(reply[5]) * 1000) != current.created_at:
            raise ViolationError(
                f"the scheduler was told that {current.name} was created at {reply[5]!r}, not at {current.created_at}"
            )
        if (reply[3] is not None) != (uid in self._oracle.paused):
            raise ViolationError(f"the scheduler was told {reply[3]!r} about a pause of {current.name}")

    def _expected(self, entry: Mapping[str, Any], known: Schedule | None, now: int) -> str:
        if known is None or known.fingerprint == "deleted":
            return "created"
        claim = self._oracle.claims.get(entry["uid"], 0)
        if not entry["keep_known_state"] and claim < now - _UNCLAIMED:
            return "created"
        if known.fingerprint == "deactivated":
            is_same = known.spec == json.loads(entry["spec"])
            return "known" if entry.get("confirmed") and is_same else "changed"
        if known.fingerprint == entry["fingerprint"]:
            return "known"
        replaced = sha1(known.fingerprint.encode(), usedforsecurity=False).hexdigest()
        return "changed" if entry.get("replaces") == replaced else "edited"

    def _create(
        self, entry: Mapping[str, Any], known: Schedule | None, now: int, redis_now: int, command: "Command"
    ) -> None:
        uid, since = entry["uid"], self._limited(entry["since"], redis_now)
        self._oracle.tombstones.pop(uid, None)
        # Without a record, Redis has lost its data. The scheduler knows what was pending.
        kept = list(entry.get("pending", ())) if known is None else []
        for run in self._oracle.runs.values():
            # The runs of the deleted schedule go on, but do not count for this one.
            run.is_bounded = run.is_bounded and run.uid != uid
        if known is not None:
            self._oracle.paused.discard(uid)
            # It is another schedule with the same uid.
            self._oracle.incarnations[uid] = self._oracle.incarnations.get(uid, 0) + 1
            self._oracle.enqueued = {key: kind for key, kind in self._oracle.enqueued.items() if key[0] != uid}
        elif entry.get("paused"):
            self._oracle.paused.add(uid)
        mark = kept[0] - 1 if kept else since
        if known is not None and known.fingerprint == "deleted" and known.mark <= redis_now + _AHEAD:
            # The scheduler may not have noticed the deletion yet.
            mark = max(mark, known.mark)
        pending = [due for due in kept if due <= since]
        spec = json.loads(entry["spec"])
        offset = _offset(uid, spec)
        self._oracle.schedules[uid] = Schedule(
            uid,
            entry["name"],
            spec,
            entry["fingerprint"],
            offset,
            since,
            mark,
            pending,
            created_at=min(since, now),
            created_in=command.version,
            trigger=known.trigger if known else "",
        )

    def _check_known(self, entry: Mapping[str, Any], command: "Command") -> None:
        """After a loss of data, a scheduler restores the due times that it knows to be settled."""
        created = self._oracle.schedules[entry["uid"]]
        settled = command.known.get(self._oracle.incarnation(created.uid), 0)
        if created.mark < settled:
            raise ViolationError(
                f"a scheduler that knows {settled} to be settled creates {created.name} with the mark {created.mark}"
            )

    def _change(self, entry: Mapping[str, Any], known: Schedule, now: int, redis_now: int) -> None:
        spec = json.loads(entry["spec"])
        # A resumption by a clock that is ahead of this one stays the newest change.
        now = max(now, known.since) if known.since <= redis_now + _AHEAD else now
        pending = [] if known.fingerprint == "deactivated" else list(entry.get("pending", ()))
        dropped, (least, most) = entry.get("dropped", 0), self._dropped(known, now)
        # A resumption between the two steps of the edit ends what was due before.
        pending = [due for due in pending if due > known.since or due in known.pending]
        if known.fingerprint != "deactivated":
            self._check_pending(known, pending, now)
        if spec.get("suspend"):
            known.buffered = []
        known.spec, known.fingerprint, known.offset = spec, entry["fingerprint"], _offset(known.uid, spec)
        known.since, known.failing = now, 0
        known.pending = [due for due in pending if due <= now]
        self._counted_from.pop(known.uid, None)
        if known.pending:
            if not least <= dropped <= most:
                raise ViolationError(f"the edit of {known.name} at {now} drops {dropped} due times, not {least}–{most}")
            if dropped:
                self._oracle.count("edit drops due times")
            known.counters.missed += dropped

    def _check_pending(self, known: Schedule, pending: Sequence[int], now: int) -> None:
        """An edit keeps what is due: the due times that wait for their jitter, and those that are in time."""
        # A due time at the moment of the edit may push the oldest one out.
        late, early = (
            set(_waiting(known, now, self._candidates(known, now), margin)) for margin in (-_ROUNDING, _ROUNDING)
        )
        may, must = late | early, set() if known.due_times is None else late & early
        # Another scheduler may have settled one between the two steps of the edit.
        kept = {due for due in pending if known.mark < due <= now}
        if not must <= kept or not kept <= may:
            raise ViolationError(
                f"the edit of {known.name} at {now} keeps {pending}, but {sorted(must)} are due ({sorted(may)} may be)"
            )

    def _dropped(self, known: Schedule, now: int) -> tuple[int, int]:
        """Return how many due times an edit gives up because more are due than one catch-up starts: least and most."""
        # Others may settle some after the first step of the edit has counted them.
        first = min(known.mark, self._counted_from.get(known.uid, known.mark))
        found = (
            _passed(known, now, self._candidates(known, now, mark), margin)
            for mark, margin in ((known.mark, _ROUNDING), (first, -_ROUNDING))
        )
        least, most = (max(0, len(each) - MOST_CAUGHT_UP) for each in found)
        # A scheduler knows only those successes that it has read.
        return (least if known.due_times else 0), most

    def _candidates(self, known: Schedule, now: int, mark: int | None = None) -> list[int]:
        mark = known.mark if mark is None else mark
        pending = [due for due in known.pending if due > mark]
        times = known.due_times
        if times is not None:
            return [*pending, *times.between(max(mark, known.since), now + _ROUNDING)]
        return [*pending, *(due for due in self._oracle.successes_before(known) if due > max(mark, known.since))]


def _waiting(known: Schedule, now: int, candidates: Sequence[int], margin: int) -> list[int]:
    """Return which of some due times wait.

    Args:
        known: The schedule.
        now: Time of the edit.
        candidates: The due times.
        margin: How far from each limit they have to be, in milliseconds.
    """
    newest = _passed(known, now, candidates, margin)[-MOST_CAUGHT_UP:]
    return [due for due in newest if known.window is None or now - known.enqueue_time(due) < known.window - margin]


def _passed(known: Schedule, now: int, candidates: Sequence[int], margin: int) -> list[int]:
    """Return which of some due times have passed and are not too late. The arguments are those of `_waiting`."""
    if known.spec.get("suspend") or known.is_exhausted:
        return []
    return [due for due in candidates if due <= now - margin and known.enqueue_time(due) >= now - IN_TIME + margin]


def _offset(uid: str, spec: Mapping[str, Any]) -> int:
    """Return the jitter of a schedule: any constant that does not exceed the limit is right."""
    offset = round(jitter_offset(uid, spec.get("jitterSeconds", 0)) * 1000)
    if not 0 <= offset <= spec.get("jitterSeconds", 0) * 1000:
        raise ViolationError(f"a jitter of {offset} ms exceeds {spec.get('jitterSeconds')} s")
    return offset
