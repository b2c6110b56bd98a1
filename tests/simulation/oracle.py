"""The model that follows every command which Redis executes, and refuses what the documents do not allow."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from financehub_scheduler.redis.lua_scripts import load_script
from financehub_shared.redis import keys
from simulation.backfill_rules import BackfillRules
from simulation.comparison import compare
from simulation.enqueue_rules import EnqueueRules
from simulation.model import Backfill, Run, Schedule, ViolationError
from simulation.network import Command
from simulation.registration_rules import RegistrationRules
from simulation.wire import Request, Wire

if TYPE_CHECKING:
    from simulation.process import Process

#: Outcomes that show a due time as settled.
_SETTLED = {"enqueued", "missed", "overlap", "backlog", "buffered"}
_SCRIPTS = ("enqueue", "register", "unregister", "deactivate")
#: What goes back with Redis when a replica becomes the master that was behind.
_RESTORED = (
    *("schedules", "runs", "paused", "requests", "backfills", "claims", "enqueued"),
    *("newest_successes", "tombstones"),
)
#: Lifetime of a tombstone.
_TOMBSTONE = 3_600_000
#: Lifetime of a request that no scheduler can carry out.
_REQUEST_LIFETIME = 3_600_000
#: Differences between whole and fractional milliseconds.
_ROUNDING = 2


class Oracle:
    """Checks each command.

    Args:
        wire: The connection to Redis, to compare its data with the model.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._scripts = {sha: name for name in _SCRIPTS for sha in wire.sha(load_script(name))}
        self.schedules: dict[str, Schedule] = {}
        #: Message id → run. After a loss of data, Redis knows none of the earlier ones.
        self.runs: dict[str, Run] = {}
        self.paused: set[str] = set()
        #: Requests of triggers that nobody has carried out → uid and time of the request.
        self.requests: dict[str, tuple[str, int]] = {}
        #: Backfill id → backfill, also after its end.
        self.backfills: dict[str, Backfill] = {}
        #: uid → newest due time that was settled before Redis lost its data. Some schedulers know it, others do not.
        self.lost_marks: dict[str, int] = {}
        #: uid → time of the newest claim.
        self.claims: dict[str, int] = {}
        #: The uids that were claimed since the world has forgotten them.
        self.claimed: set[str] = set()
        #: uid → time at which the tombstone of a deleted schedule expires.
        self.tombstones: dict[str, int] = {}
        #: Uids of schedules whose trigger annotation was carried out before Redis went back to an earlier state.
        self.lost_triggers: set[str] = set()
        #: All due times that were ever enqueued since the last loss of data: (uid, due) → kind.
        self.enqueued: dict[tuple[str, int], str] = {}
        #: uid → how often the schedule was created again after its deletion.
        self.incarnations: dict[str, int] = {}
        #: Name → due time of the newest success that Redis has.
        self.newest_successes: dict[str, int] = {}
        #: Name → due times that its successes give its followers. Schedulers may know those of lost records.
        self.successes: dict[str, list[int]] = {}
        #: Number of commands of schedulers that Redis has executed.
        self.commands = 0
        #: Number of each outcome, to see what the scenarios reach.
        self.seen: dict[str, int] = {}
        self._registration = RegistrationRules(self)
        self._enqueue = EnqueueRules(self)
        self.backfill_rules = BackfillRules(self)

    # what happens -------------------------------------------------------------------------------------
    def observe(self, command: Command, replies: Any, redis_now: int) -> None:
        """Check commands of a scheduler that Redis has executed.

        Args:
            command: The commands.
            replies: Their replies.
            redis_now: Time of Redis in milliseconds.
        """
        is_checked = False
        self.commands += 1
        for request, reply in zip(command.requests, replies, strict=True):
            if isinstance(reply, Exception):
                if "NOSCRIPT" not in str(reply) and "No matching script" not in str(reply):
                    raise ViolationError(f"Redis refuses {request[:2]!r}: {reply}")
                continue
            if request[0] == b"EVALSHA":
                is_checked = self._observe_script(request, reply, command, redis_now) or is_checked
            else:
                is_checked = self._observe_command(request, reply, command) or is_checked
        if is_checked:
            self.backfill_rules.look()
            self.compare()

    def _observe_command(self, request: Request, reply: Any, command: Command) -> bool:
        """Follow a command, and return whether it changes anything that is compared."""
        match request[0]:
            case b"HDEL" if request[1] == keys.SCHEDULE_TRIGGERS.encode():
                for id in request[2:]:
                    self._drop_request(id.decode(), command.latest // 1000)
            case b"ZADD" if request[1] == keys.SCHEDULES.encode():
                for score, member in zip(request[3::2], request[4::2], strict=True):
                    self.claims[member.decode()] = round(float(score) * 1000)
                    self.claimed.add(member.decode())
                return False
            case b"HSETNX" if request[1] == keys.SCHEDULES_PAUSED.encode() and reply:
                self.paused.add(request[2].decode())
            case _:
                return self.backfill_rules.observe(request, command.requests)
        return True

    def _observe_script(self, request: Request, reply: Any, command: Command, redis_now: int) -> bool:
        name = self._scripts.get(request[1])
        arguments = [json.loads(each) for each in request[3:5]] if name else []
        latest = command.latest // 1000
        match name:
            case "enqueue":
                outcomes = [each.decode() for each in reply]
                messages = [json.loads(each) if each else None for each in request[5:]]
                runs = _runs(*arguments)
                self._enqueue.check(arguments[0], runs, messages, outcomes, latest, redis_now, command.process.settled)
                for run, outcome in zip(runs, outcomes, strict=True):
                    if run["kind"] == "due" and outcome in _SETTLED:
                        command.settled[self.incarnation(run["uid"])] = run["due"]
            case "register":
                self._registration.check(arguments[0], arguments[1], reply, latest, redis_now, command)
            case "unregister":
                for uid, until, *created in arguments[0]:
                    self._forget(uid, until, created, redis_now, command.process)
            case "deactivate":
                for uid, _ in arguments[0]:
                    if (known := self.schedules.get(uid)) and known.fingerprint != "deleted":
                        known.fingerprint, known.buffered = "deactivated", []
            case _:
                return False
        return True

    def _drop_request(self, id: str, latest: int) -> None:
        """A request that nobody could carry out for an hour is given up, because its requester no longer waits."""
        _, at = self.requests.pop(id, ("", 0))
        if at > latest - _REQUEST_LIFETIME + _ROUNDING:
            raise ViolationError(f"the request {id} of {at} was given up at {latest} at the latest")

    def _forget(self, uid: str, until: int, created: Sequence[int], redis_now: int, process: "Process") -> None:
        known = self.schedules.get(uid)
        if known is not None and known.created_at > until and known.created_at not in created:
            # Another scheduler has created it again since.
            self.count("unregister newer")
            return
        # A cluster never uses a uid again.
        if known is not None and known.fingerprint != "deleted" and not process.world.is_cluster:
            self._check_deletion(known, process)
        mark, trigger = (known.mark, known.trigger) if known else (0, "")
        self.schedules[uid] = Schedule(uid, known.name if known else "", {}, "deleted", 0, 0, mark, trigger=trigger)
        self.tombstones[uid] = redis_now + _TOMBSTONE
        self.paused.discard(uid)
        self.claims.pop(uid, None)

    @staticmethod
    def _check_deletion(known: Schedule, process: "Process") -> None:
        """A deletion removes what was created before it, or what its scheduler knows, but nothing newer."""
        deleted_in = process.deletions.get(known.uid, 0)
        if known.created_in > deleted_in and (known.uid, known.created_at) not in process.created:
            raise ViolationError(
                f"a late deletion, after {deleted_in} changes of the source, removes {known.name}, which was created "
                f"after {known.created_in}"
            )

    def expire(self, redis_now: int) -> list[str]:
        """Forget the schedules whose tombstones expire, and return their uids."""
        expired = [uid for uid, at in self.tombstones.items() if at <= redis_now]
        for uid in expired:
            del self.tombstones[uid], self.schedules[uid]
            # Nobody knows any more which trigger annotation was carried out.
            for id in [run.id for run in self.runs.values() if _is_ended_annotation(run, uid)]:
                del self.runs[id]
        return expired

    def snapshot(self) -> dict[str, Any]:
        """Return the state of Redis in the model."""
        return copy.deepcopy({name: getattr(self, name) for name in _RESTORED})

    def restore(self, snapshot: Mapping[str, Any], remembered: Mapping[str, int]) -> None:
        """Redis has gone back to an earlier state.

        A due time that was settled since may be settled again, by a scheduler that does not know it, or be passed over
        without being counted, by one that does. Everything later is as always.

        Args:
            snapshot: The state.
            remembered: uid → time up to which some scheduler knows that nothing is due any more.
        """
        self._remember(remembered)
        triggers = {uid: known.trigger for uid, known in self.schedules.items() if known.trigger}
        deleted = [uid for uid, known in self.schedules.items() if known.fingerprint == "deleted"]
        for name, value in copy.deepcopy(dict(snapshot)).items():
            setattr(self, name, value)
        for uid, trigger in triggers.items():
            if uid not in self.schedules or self.schedules[uid].trigger != trigger:
                self.lost_triggers.add(uid)
        for uid in {*self.incarnations, *deleted}:
            # What a scheduler knows about a schedule that was created since does not apply to the next one, and
            # schedulers have forgotten what they knew of one whose deletion is lost.
            self.incarnations[uid] = self.incarnations.get(uid, 0) + 1

    def _remember(self, remembered: Mapping[str, int]) -> None:
        for uid in {*self.schedules, *remembered}:
            mark = self.schedules[uid].mark if uid in self.schedules else 0
            self.lost_marks[uid] = max(mark, remembered.get(uid, 0), self.lost_marks.get(uid, 0))

    def data_lost(self, remembered: Mapping[str, int]) -> None:
        """Redis has lost everything.

        Args:
            remembered: uid → time up to which some scheduler knows that nothing is due any more.
        """
        self._remember(remembered)
        for table in (self.schedules, self.runs, self.requests, self.backfills, self.claims, self.enqueued):
            table.clear()
        self.paused.clear()
        self.tombstones.clear()
        self.backfill_rules.forget()
        self.newest_successes.clear()

    def resumed(self, uid: str, at: int) -> None:
        """A user has resumed a schedule."""
        self.paused.discard(uid)
        if (known := self.schedules.get(uid)) and known.fingerprint != "deleted":
            known.since, known.pending, known.failing = at, [], 0

    def pause(self, uid: str) -> None:
        """A schedule is paused from now on."""
        if uid not in self.paused:
            self.paused.add(uid)
            if known := self.schedules.get(uid):
                known.buffered = []

    def ended(self, run: Run, outcome: str, at: int) -> None:
        """A worker has recorded the end of a run, with any outcome."""
        run.state = "ended"
        known = self.schedules.get(run.uid)
        if known is None or known.fingerprint == "deleted":
            return
        known.counters.ended += 1
        if outcome == "succeeded":
            known.failing = 0
            self.successes.setdefault(known.name, []).append(at)
            self.newest_successes[known.name] = at
            return
        known.counters.failures += 1
        known.failing += 1
        limit = known.spec.get("pauseAfterFailures")
        if known.is_live and not known.spec.get("suspend") and limit and known.failing >= limit:
            self.pause(run.uid)

    def successes_before(self, follower: Schedule) -> list[int]:
        """Return the due times that the successes of its predecessor give a follower, ascending."""
        namespace = follower.name.partition("/")[0]
        return sorted({*self.successes.get(f"{namespace}/{follower.spec['after']}", ())})

    def incarnation(self, uid: str) -> str:
        """Return what tells a schedule from deleted ones with the same uid."""
        return f"{uid} {self.incarnations.get(uid, 0)}"

    def count(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    def compare(self) -> None:
        """Compare Redis with the model.

        Raises:
            ViolationError: They differ.
        """
        compare(self, self._wire)


def _is_ended_annotation(run: Run, uid: str) -> bool:
    return run.uid == uid and run.kind == "annotation" and run.state == "ended"


def _runs(context: dict[str, Any], heads: list[Any]) -> list[dict[str, Any]]:
    """Return the runs of a call of enqueue.lua, with all of their fields. The head of the script has the format."""
    if heads and isinstance(heads[0], dict):
        return heads
    return [
        {"uid": uid, "fingerprint": fingerprint, "due": int(due), "id": id_, **context["shapes"][shape - 1]}
        for uid, fingerprint, due, id_, shape in zip(*(heads[number::5] for number in range(5)), strict=True)
    ]
