"""The registry of schedules in Redis: registration, deletion, claims, and the data for listings."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.redis.edits import parse_pending, with_edits
from financehub_scheduler.redis.enqueuer import AHEAD_LIMIT_SECONDS
from financehub_scheduler.redis.lua_scripts import load_script
from financehub_shared.core.chunks import chunks
from financehub_shared.core.damage import DAMAGED
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import arepaired
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import DELETED, NextRuns, ScheduleField
from financehub_shared.redis.text import decode
from financehub_shared.schedules import UNCLAIMED_SECONDS, Pause

#: Claims are renewed three times within their lifetime.
CLAIM_INTERVAL_SECONDS = UNCLAIMED_SECONDS / 3
#: Seconds between two checks whether Redis has lost schedules, such as after a failover to an empty server.
FIND_LOSS_SECONDS = 5.0
#: Schedules per script, which takes Redis about 5 ms, so that registering thousands delays no other client.
_CHUNK = 250
#: Number of script calls in which a chunk is registered. An edit takes two, and one more each time that another
#: scheduler edits the same schedule in between.
_ROUNDS = 6
#: Digits that no high-water mark has. Python refuses to convert a text of thousands of digits.
_MARK_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Registration:
    """A schedule to register.

    Args:
        schedule: The schedule.
        since: Time at which this scheduler received the schedule, or the newest due time that it knows to be settled if
            that is later, Unix seconds. It is used if Redis does not know the schedule.
        keep_known_state: See `Changes.keep_known_state`.
        paused: The pause that this scheduler remembers. It is used if Redis does not know the schedule.
        pending: The due times that this scheduler remembers and the spec does not yield, ascending, in Unix seconds.
            They are used if Redis does not know the schedule or if this registration is an edit.
        confirmed: Whether the source has confirmed the spec after another scheduler registered something else. If that
            one has only deactivated the same spec, it resumes as if it had never been deactivated.
    """

    schedule: Schedule
    since: float
    keep_known_state: bool
    paused: Pause | None = None
    pending: tuple[float, ...] = ()
    confirmed: bool = False

    def encode(self) -> dict[str, Any]:
        """Return the entry of the script."""
        schedule = self.schedule
        entry: dict[str, Any] = {
            "uid": schedule.uid,
            "name": schedule.name,
            "fingerprint": schedule.fingerprint,
            "spec": schedule.spec_json,
            "task": schedule.task,
            "queue": schedule.queue,
            "suspended": int(schedule.suspended),
            "since": int(self.since * 1000),
            "keep_known_state": self.keep_known_state,
        }
        if self.confirmed:
            entry["confirmed"] = True
        if self.pending:
            entry["pending"] = [round(due * 1000) for due in self.pending]
        return entry | ({"paused": self.paused.to_json()} if self.paused and not self.paused.problem else {})


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """Redis's reply for one registration.

    Args:
        outcome: Whether Redis created the schedule, changed it, or already knew it.
        high_water_mark: Newest settled due time, Unix seconds; 0 if no due time has been settled.
        changed_at: Time of the creation, of the last change of the spec or of the last resumption, Unix seconds.
        paused: Who paused it, why and when; None if it is not paused.
        pending: Due times up to `changed_at` that still run, ascending, in Unix seconds; see `Timeline`.
        created_at: Time of the creation, Unix seconds; 0 if it is unknown.
        replaced: SHA-1 of the fingerprint that the edit has replaced; empty if it was not an edit.
    """

    outcome: Literal["created", "changed", "known"]
    high_water_mark: float
    changed_at: float
    paused: Pause | None
    pending: tuple[float, ...] = ()
    created_at: float = 0.0
    replaced: str = ""

    @classmethod
    def parse(cls, entry: Mapping[str, Any], reply: Sequence[Any]) -> Self:
        """Parse the reply of register.lua to an entry."""
        outcome, mark, changed_at, pause, pending, created_at = reply
        paused = None if pause is None else Pause.from_json(pause)
        due_times = parse_pending(decode(pending))
        replaced = entry.get("replaces", "") if outcome == b"changed" else ""
        return cls(
            outcome.decode(), int(mark) / 1000, float(changed_at), paused, due_times, float(created_at), replaced
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """The deletion of a schedule.

    Args:
        until: Every schedule with this uid that was created up to this time is deleted, Unix seconds.
        created_at: Time of the creation of the schedule that this scheduler knew, Unix seconds; 0 if it knew none.
            Unlike `until`, it identifies the schedule whatever the clocks show.
        requested_at: Time of the creation of the schedule that a registration may have created whose reply this
            scheduler has not received, Unix seconds; 0 if there is none.
    """

    until: float
    created_at: float = 0.0
    requested_at: float = 0.0

    def encode(self, uid: str) -> tuple[str, int, int, int]:
        """Return the entry of the script."""
        # Cut off like `since` and the time of a registration, from which Redis has the creation.
        return uid, int(self.until * 1000), round(self.created_at * 1000), int(self.requested_at * 1000)


class Registry:
    """Reads and writes the schedules in Redis.

    Args:
        client: The queue Redis.
        ahead_limit: Seconds by which our clock may be ahead of Redis's own.
    """

    def __init__(self, client: "Redis", ahead_limit: float = AHEAD_LIMIT_SECONDS) -> None:
        self._client = client
        self._limits = {"unclaimed": UNCLAIMED_SECONDS, "ahead_limit": ahead_limit * 1000}
        self._register = client.register_script(load_script("register"))
        self._unregister = client.register_script(load_script("unregister"))
        self._deactivate = client.register_script(load_script("deactivate"))

    async def register(self, registrations: Sequence[Registration], now: float) -> list[RegistrationResult | None]:
        """Register schedules. A schedule that Redis has never seen starts at its `since`.

        Args:
            registrations: The schedules.
            now: Unix seconds.

        Returns:
            One result per registration; None for one to repeat, because other schedulers kept editing the schedule.
        """
        results: list[RegistrationResult | None] = []
        for chunk in chunks(registrations, _CHUNK):
            results.extend(await self._register_chunk(chunk, now))
        return results

    async def _register_chunk(
        self, registrations: Sequence[Registration], now: float
    ) -> list[RegistrationResult | None]:
        context = json.dumps({**self._limits, "now": int(now * 1000)})
        entries = {number: registration.encode() for number, registration in enumerate(registrations)}
        results: dict[int, RegistrationResult] = {}
        for _ in range(_ROUNDS):
            if not entries:
                break
            call = partial(self._register, args=[context, json.dumps([*entries.values()])])
            answers = await self._repaired([entry["uid"] for entry in entries.values()], call)
            replies = dict(zip(entries, answers, strict=True))
            # An edit is registered in two steps, and again if another scheduler edits the schedule in between.
            edits = with_edits(entries, replies, now)
            results |= {
                number: RegistrationResult.parse(entries[number], replies[number])
                for number in replies.keys() - edits.keys()
            }
            entries = edits
        return [results.get(number) for number in range(len(registrations))]

    async def unregister(self, removed: Mapping[str, Removal]) -> None:
        """Delete schedules and all their data, unless another scheduler has created them again since.

        Args:
            removed: uid → its deletion.
        """
        for chunk in chunks((removal.encode(uid) for uid, removal in removed.items()), _CHUNK):
            await self._repaired([uid for uid, *_ in chunk], partial(self._unregister, args=[json.dumps(chunk)]))

    async def deactivate(self, problems: Mapping[str, str]) -> None:
        """Deactivate schedules that currently do not run. Their records are kept.

        The next registration counts as a change even if the spec is unchanged, so due times in between are not caught
        up.

        Args:
            problems: uid → reason why the schedule does not run.
        """
        next_runs = ((uid, NextRuns(problem=problem).to_json()) for uid, problem in problems.items())
        for chunk in chunks(next_runs, _CHUNK):
            await self._repaired([uid for uid, _ in chunk], partial(self._deactivate, args=[json.dumps(chunk)]))

    async def claim(
        self, uids: Iterable[str], now: float, on_record: Callable[[str, bytes, bytes | None], object] | None = None
    ) -> list[str]:
        """Renew the claims on schedules, and return the uids of schedules that Redis has lost, wholly or in part.

        Args:
            uids: The schedules that this scheduler runs.
            now: Unix seconds.
            on_record: Is called with each uid, the fingerprint that Redis has for it, and the time of its last change.
        """
        unknown: list[str] = []
        for chunk in chunks(uids, _CHUNK):
            scores, marks, *records = await self._repaired(chunk, partial(self._read_claims, chunk))
            parts = [
                (uid, score, mark, record[0])
                for uid, score, mark, record in zip(chunk, scores, marks, records, strict=True)
            ]
            known = {uid: now for uid, *found in parts if None not in found}
            # A tombstone shows that another scheduler has deleted the schedule, so Redis has not lost it.
            deleted = {uid for uid, *_, fingerprint in parts if fingerprint == DELETED.encode()}
            unknown.extend(uid for uid in chunk if uid not in known and uid not in deleted)
            if on_record:
                for uid, (fingerprint, changed_at) in zip(chunk, records, strict=True):
                    if fingerprint is not None:
                        on_record(uid, fingerprint, changed_at)
            if known:
                await self._client.zadd(keys.SCHEDULES, known, xx=True)
        return unknown

    async def claimed_before(self, uids: Iterable[str], time: float) -> list[str]:
        """Return those of some schedules whose claim is missing, or was last renewed before a time in Unix seconds."""
        found: list[str] = []
        for chunk in chunks(uids, _CHUNK):
            scores = await self._repaired((), partial(self._client.zmscore, keys.SCHEDULES, chunk))
            found += [uid for uid, at in zip(chunk, scores, strict=True) if at is None or at < time]
        return found

    async def _read_claims(self, uids: Sequence[str]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zmscore(keys.SCHEDULES, list(uids))
            pipeline.hmget(keys.HIGH_WATER_MARKS, list(uids))
            for uid in uids:
                pipeline.hmget(keys.schedule(uid), ScheduleField.FINGERPRINT, ScheduleField.CHANGED_AT)
            return list(await pipeline.execute())

    async def _repaired(self, uids: Sequence[str], call: Callable[[], Awaitable[Any]]) -> Any:
        return await arepaired(self._client, lambda: schedule_types(uids), call)

    async def count(self) -> int:
        """Return the number of registered schedules, in one cheap command."""
        return int(await self._repaired((), partial(self._client.zcard, keys.SCHEDULES)))

    async def high_water_marks(self, uids: Sequence[str]) -> list[int | None]:
        """Return the high-water marks of schedules in Unix milliseconds; None for a missing or damaged one."""
        read = partial(self._client.hmget, keys.HIGH_WATER_MARKS, uids)
        marks: Sequence[bytes | None] = await self._repaired((), read)
        return [
            int(mark) if mark is not None and mark.isdigit() and len(mark) < _MARK_DIGITS else None for mark in marks
        ]

    async def next_runs(self, uids: Sequence[str]) -> list[NextRuns | None]:
        """Return the published next runs of schedules; None for those that are missing or damaged."""
        read = partial(self._client.hmget, keys.SCHEDULE_NEXT_RUNS, uids)
        return [_parse_next_runs(entry) for entry in await self._repaired((), read)]

    async def publish(self, next_runs: Mapping[str, NextRuns]) -> None:
        """Write the next runs of schedules, by uid, for listings."""
        if next_runs:
            mapping: dict[Any, Any] = {uid: entry.to_json() for uid, entry in next_runs.items()}
            await self._repaired((), partial(self._client.hset, keys.SCHEDULE_NEXT_RUNS, mapping=mapping))

    async def publish_refused(self, refused: Mapping[str, str], now: float) -> None:
        """Replace the list of refused documents.

        Args:
            refused: `file:line` → problem.
            now: Unix seconds.
        """
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.delete(keys.SCHEDULES_REFUSED)
            if refused:
                mapping: dict[Any, Any] = {
                    place: json.dumps({"message": text, "at": now}) for place, text in refused.items()
                }
                pipeline.hset(keys.SCHEDULES_REFUSED, mapping=mapping)
            await pipeline.execute()


def _parse_next_runs(entry: bytes | None) -> NextRuns | None:
    try:
        return None if entry is None else NextRuns.from_json(entry)
    except DAMAGED:
        # The scheduler that reads it publishes its own next runs.
        return None
