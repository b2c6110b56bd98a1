"""Which schedules Redis knows: registration, deletion, claims, and what listings show."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Any, TypeVar

from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.redis.enqueuer import AHEAD_LIMIT_SECONDS, key_patterns
from financehub_shared.redis import keys
from financehub_shared.schedules import UNCLAIMED_SECONDS

#: Claims are renewed three times as often as they lapse.
CLAIM_INTERVAL_SECONDS = UNCLAIMED_SECONDS / 3
#: Schedules per script: some 5 ms of Redis, so that registering thousands delays nobody.
_CHUNK = 250

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Standing:
    """What Redis says of a schedule that was registered.

    Args:
        outcome: `created`, `changed` or `known`.
        mark: due time of the last run that was enqueued or given up, Unix seconds; 0: none yet.
        changed_at: creation or last change of the spec, Unix seconds.
    """

    outcome: str
    mark: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A schedule to register.

    Args:
        schedule: the schedule.
        since: Unix seconds from which it has been ours, should Redis not know it.
        added: it appeared while this scheduler ran, rather than being there at its start.
    """

    schedule: Schedule
    since: float
    added: bool


class Registry:
    """The schedules in Redis.

    Args:
        client: Redis of the queues.
        ahead_limit: seconds by which our clock may be ahead of Redis's own.
    """

    def __init__(self, client: "Redis", ahead_limit: float = AHEAD_LIMIT_SECONDS) -> None:
        self._client = client
        self._ahead_limit = ahead_limit
        scripts = files(__package__).joinpath("lua")
        self._register = client.register_script(scripts.joinpath("register.lua").read_bytes())
        self._unregister = client.register_script(scripts.joinpath("unregister.lua").read_bytes())
        self._withdraw = client.register_script(scripts.joinpath("withdraw.lua").read_bytes())

    async def register(self, entries: Sequence[Entry], now: float) -> list[Standing]:
        """Make schedules known; one Redis has never seen starts at its `since`."""
        limits = {"unclaimed": UNCLAIMED_SECONDS, "ahead_limit": self._ahead_limit * 1000}
        context = json.dumps({**key_patterns(), **limits, "now": int(now * 1000)})
        standings: list[Standing] = []
        for chunk in _chunks(entries):
            payload = [
                {
                    "uid": entry.schedule.uid,
                    "name": entry.schedule.name,
                    "fingerprint": entry.schedule.fingerprint,
                    "summary": entry.schedule.summary,
                    "task": entry.schedule.task,
                    "queue": entry.schedule.queue,
                    "suspended": int(entry.schedule.suspended),
                    "since": int(entry.since * 1000),
                    "added": entry.added,
                }
                for entry in chunk
            ]
            replies = await self._register(args=[context, json.dumps(payload)])
            standings.extend(
                Standing(outcome.decode(), int(mark) / 1000, float(changed)) for outcome, mark, changed in replies
            )
        return standings

    async def unregister(self, uids: Sequence[str]) -> None:
        """Forget schedules and all that is known of them."""
        context = json.dumps(key_patterns())
        for chunk in _chunks(uids):
            await self._unregister(args=[context, json.dumps(chunk)])

    async def withdraw(self, problems: Mapping[str, str]) -> None:
        """Note schedules that do not run at present, uid → why; what is known of them is kept.

        Whatever they run as next counts as a change, even if it is what they ran as before: nothing that is due
        meanwhile is made up for.
        """
        outlooks = ((uid, json.dumps({"next": [], "problem": problem})) for uid, problem in problems.items())
        for chunk in _chunks(outlooks):
            await self._withdraw(args=[json.dumps(key_patterns()), json.dumps(chunk)])

    async def claim(self, uids: Iterable[str], now: float) -> list[str]:
        """Renew the claim on our schedules; returns those that Redis does not know (any more)."""
        unknown: list[str] = []
        for chunk in _chunks(uids):
            scores = await self._client.zmscore(keys.SCHEDULES, chunk)
            known = {uid: now for uid, score in zip(chunk, scores, strict=True) if score is not None}
            unknown.extend(uid for uid in chunk if uid not in known)
            if known:
                await self._client.zadd(keys.SCHEDULES, known, xx=True)
        return unknown

    async def publish(self, outlook: Mapping[str, Mapping[str, Any]]) -> None:
        """Write when schedules are due next, for listings."""
        if outlook:
            await self._client.hset(
                keys.SCHEDULE_OUTLOOK, mapping={uid: json.dumps(entry) for uid, entry in outlook.items()}
            )

    async def publish_refused(self, refused: Mapping[str, str], now: float) -> None:
        """Replace the list of refused documents, place → what is wrong."""
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.delete(keys.SCHEDULES_REFUSED)
            if refused:
                mapping: dict[Any, Any] = {
                    place: json.dumps({"message": text, "at": now}) for place, text in refused.items()
                }
                pipeline.hset(keys.SCHEDULES_REFUSED, mapping=mapping)
            await pipeline.execute()


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
