"""Keeps the status of every ScheduledTask up to date with few writes, and none that changes nothing."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from financehub_scheduler.core.state import Live
from financehub_scheduler.kubernetes.lease import Lease
from financehub_scheduler.kubernetes.observed_status import Seen, Standing, digest
from financehub_scheduler.kubernetes.status.build import as_json, build
from financehub_scheduler.kubernetes.status.conditions import differ, judge
from financehub_scheduler.kubernetes.status.delay_queue import Agenda
from financehub_scheduler.kubernetes.status.sender import NotWrittenError, Sender, StatusRefusedError
from financehub_scheduler.kubernetes.status.snapshot import Facts, Record, read_facts, read_records
from financehub_scheduler.kubernetes.watch.resource import Resource
from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
#: Shortest time between two writes of one status in which no condition changes.
SPACING_SECONDS = 30.0
#: Every status is compared this often, for whatever word of a change was lost.
SWEEP_SECONDS = 600.0
#: Uids taken out of Redis at once.
_POP = 1_000
#: Records looked at in one step, and between two looks at what is due (about 1 ms).
_LOOKS = 500
_LOOK = 25
#: Statuses compared, and perhaps written, in one step: ten thousand new ones take two minutes and disturb nobody.
WRITES = 100
#: Of them at once.
_AT_ONCE = 8


class Source(Protocol):
    """Where resources come from; `touched` are those that were added or changed."""

    resources: dict[str, Resource]
    touched: set[str]


@dataclass(frozen=True, slots=True)
class _Memory:
    """The last comparison of one status.

    Args:
        at: when it was last written, monotonic seconds; before we wrote it, when we began to be the writer.
        wish: digest of what it had to say.
        shown: the status that followed.
        settled: of the record.
        generation, asked: of the resource.
        last_run: id of the run that had ended last.
    """

    at: float
    wish: bytes
    shown: Seen
    settled: int
    generation: int
    asked: tuple[str, str]
    last_run: str


class StatusWriter:
    """Writes status while it holds the Lease.

    Args:
        clock: time.
        lease: who writes.
        sender: the way to the API server.
        source: resources as the API server has them.
        live: the schedules under the engine's care.
        client: Redis of the queues.
    """

    def __init__(
        self,
        clock: Clock,
        lease: Lease,
        sender: Sender,
        source: Source,
        live: Mapping[str, Live],
        client: "Redis",
    ) -> None:
        self._clock = clock
        self._lease = lease
        self._sender = sender
        self._source = source
        self._live = live
        self._client = client
        self._term = 0
        #: When we began to be the writer, monotonic and Unix seconds.
        self._since = self._began = 0.0
        self._swept = 0.0
        self._agenda = Agenda()
        self._memory: dict[str, _Memory] = {}
        #: To be looked at: what changed, and what is compared in turn.
        self._changed: dict[str, None] = {}
        self._sweep: deque[str] = deque()
        #: Told of what was written: uid, status, the conditions until then, whether the run that ended last is news.
        self.on_written: Callable[[str, Mapping[str, Any], Sequence[Standing], bool], None] = lambda *_: None
        #: uids whose next due time or problem changed; for others to fill.
        self.moved: set[str] = set()

    async def step(self) -> None:
        """See what changed, and write what is due.

        Raises:
            redis.RedisError: Redis is away; what was not looked at is looked at later.
        """
        if not self._lease.holds:
            self.moved.clear()
            self._source.touched.clear()
            return
        if self._lease.term != self._term:
            self._take_over()
        await self._notice()
        await self._look()
        await self._write()

    def _take_over(self) -> None:
        self._term = self._lease.term
        self._since, self._began = self._clock.monotonic(), self._clock.now()
        self._agenda = Agenda()
        self._memory.clear()
        self._changed.clear()
        self._begin_sweep()

    def _begin_sweep(self) -> None:
        self._swept = self._clock.monotonic()
        self._sweep = deque(self._source.resources)
        for uid in self._memory.keys() - self._source.resources.keys():
            del self._memory[uid]

    # what changed -------------------------------------------------------------------------------------
    async def _notice(self) -> None:
        if self._clock.monotonic() >= self._swept + SWEEP_SECONDS:
            self._begin_sweep()
        moved = self.moved | {uid for uid in self._source.touched if not self._is_echo(uid)}
        self.moved.clear()
        self._source.touched.clear()
        self._note(moved)
        touched: list[bytes] = await self._client.spop(keys.SCHEDULES_TOUCHED, _POP)  # type: ignore[assignment]
        self._note(uid.decode() for uid in touched)
        self._note(uid for uid in moved if self._is_news(uid))

    def _note(self, uids: Iterable[str]) -> None:
        """Let them be looked at next."""
        for uid in uids:
            self._changed.pop(uid, None)
            self._changed[uid] = None

    def _is_news(self, uid: str) -> bool:
        """Whether somebody has just applied it."""
        resource, memory = self._source.resources.get(uid), self._memory.get(uid)
        return resource is not None and (memory is None or memory.generation != resource.generation)

    def _is_echo(self, uid: str) -> bool:
        """Whether the watch only shows what we wrote."""
        resource, memory = self._source.resources.get(uid), self._memory.get(uid)
        return (
            resource is not None
            and memory is not None
            and (resource.status.digest, resource.generation, resource.asked)
            == (memory.shown.digest, memory.generation, memory.asked)
        )

    async def _look(self) -> None:
        """Decide when the status of what changed is to be written."""
        for _ in range(_LOOKS // _LOOK):
            # the last noted first: what somebody has just applied does not wait for thousands
            changed = list(islice(reversed(self._changed), _LOOK))
            swept = list(islice(self._sweep, _LOOK - len(changed)))
            if not changed and not swept:
                return
            records = await read_records(self._client, [*changed, *swept])
            for uid in changed:
                del self._changed[uid]
            for _ in swept:
                self._sweep.popleft()
            for uid in (*changed, *swept):
                self._plan(uid, records.get(uid))
            await asyncio.sleep(0)

    def _plan(self, uid: str, record: Record | None) -> None:
        if (resource := self._source.resources.get(uid)) is None:
            return
        live = self._live_of(resource)
        if resource.schedule is None:
            record = record or Record()
        elif live is None or record is None:
            # on its way to the engine or to Redis; when it is there, it has moved
            return
        now, memory = self._clock.monotonic(), self._memory.get(uid)
        written = memory.at if memory else self._since
        verdicts = judge(resource, live, record)
        # whoever has just applied it waits for its first outcome
        first = memory is not None and not memory.last_run and record.outcome.last_run_id
        if first or differ(verdicts, resource.generation, self._shown(resource, memory).conditions):
            self._agenda.urge(uid, now)
        elif memory is None or memory.settled != record.settled or memory.shown.digest != resource.status.digest:
            self._agenda.put(uid, written + SPACING_SECONDS)
        else:
            # a run was enqueued: its end, likely soon, is worth a write, and not both
            self._agenda.put(uid, now + SPACING_SECONDS)

    def _live_of(self, resource: Resource) -> Live | None:
        """The schedule of a resource as the engine has it, if it is the newest state."""
        live, schedule = self._live.get(resource.uid), resource.schedule
        if live is None or schedule is None or live.superseded is not None:
            return None
        return live if live.schedule.fingerprint == schedule.fingerprint else None

    def _shown(self, resource: Resource, memory: _Memory | None) -> Seen:
        """The status as the API server has it: the watch may lag behind what we have just written."""
        young = memory is not None and self._clock.monotonic() < memory.at + SPACING_SECONDS
        return memory.shown if memory and young else resource.status

    # writes -------------------------------------------------------------------------------------------
    async def _write(self) -> None:
        now = self._clock.monotonic()
        for _ in range(-(-WRITES // _AT_ONCE)):
            uids = self._agenda.pop(now, _AT_ONCE)
            if not uids:
                return
            try:
                known = [resource for uid in uids if (resource := self._source.resources.get(uid))]
                facts = await read_facts(self._client, {each.uid: _backfill(each) for each in known})
                writes = []
                for each in known:
                    writes.append(asyncio.create_task(self._bring(each, facts.get(each.uid))))
                    # each begins in a round of the loop of its own: half a millisecond, not eight times that
                    await asyncio.sleep(0)
                await asyncio.gather(*writes)
            except RedisError:
                for uid in uids:
                    self._agenda.put(uid, now)
                raise

    async def _bring(self, resource: Resource, facts: Facts | None) -> None:
        """Bring the status of one resource up to date."""
        uid, now = resource.uid, self._clock.monotonic()
        live = self._live_of(resource)
        if resource.schedule is None:
            facts = facts or Facts()
        elif live is None or facts is None:
            return
        if self._is_ahead(facts):
            self._agenda.put(uid, now + INTERVAL_SECONDS)
            return
        memory = self._memory.get(uid)
        shown = self._shown(resource, memory)
        status = as_json(build(resource, live, facts, shown, self._clock.now()))
        wish, at = digest(status), memory.at if memory else self._since
        # fields that somebody else added stay there, and are no reason to write again
        same = wish == shown.digest or (memory and wish == memory.wish and shown.digest == memory.shown.digest)
        if not same:
            if not self._lease.holds:
                return
            if (rest := self._sender.rest(resource.namespace)) > now:
                self._agenda.put(uid, rest)
                return
            before, outcome = shown.conditions, facts.record.outcome
            news = outcome.last_run_id != memory.last_run if memory else (outcome.last_run_at or 0) >= self._began
            try:
                shown = await self._sender.send(resource, status)
            except NotWrittenError as error:
                self._agenda.put(uid, error.at)
                return
            except StatusRefusedError:
                # as if it were written: the same again would be refused again
                pass
            else:
                self.on_written(uid, status, before, news)
            at = now
        record = facts.record
        self._memory[uid] = _Memory(
            at, wish, shown, record.settled, resource.generation, resource.asked, record.outcome.last_run_id
        )

    def _is_ahead(self, facts: Facts) -> bool:
        """Whether a run ended a moment ago that is not among the newest yet: runs are listed after their enqueue."""
        outcome = facts.record.outcome
        # one that ended earlier is there, or too old to be
        young = outcome.last_run_at is not None and 0 <= self._clock.now() - outcome.last_run_at < INTERVAL_SECONDS
        return young and all(run.message_id != outcome.last_run_id for run in facts.recent)


def _backfill(resource: Resource) -> str:
    """Id of the backfill that its annotation asks for; empty: of none."""
    wish = resource.schedule.backfill if resource.schedule else None
    return wish.id if wish else ""
