"""Finds, requeues and deletes the dead letters of all queues, by id or by filter."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from financehub_shared.broker import queue_scripts
from financehub_shared.broker.dead_letter import DeadLetter, DeadLetterReason, parse_dead_letter, requeued_message
from financehub_shared.broker.queues import discover_queues
from financehub_shared.core.chunks import chunks
from financehub_shared.redis import queue_keys as keys

#: Dead letters read per round trip; each is a few kB.
READ_BATCH = 200
#: Maximum number of dead letters per queue that one call reads; callers that need more repeat the call.
MAX_LETTERS_PER_QUEUE = 100_000
#: Dead letters deleted per script call, so that no call blocks Redis for more than a few milliseconds.
DELETE_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Selects dead letters; a field that is not set matches every letter.

    Args:
        ids: Ids of the letters.
        queue, task, exception, reason: Values that the letter's fields must equal.
        older_than_seconds: Minimum time since death, in seconds.
    """

    ids: Sequence[str] | None = None
    queue: str | None = None
    task: str | None = None
    exception: str | None = None
    reason: str | None = None
    older_than_seconds: float = 0

    def matches(self, letter: DeadLetter) -> bool:
        """Whether the task, exception and reason match. Age, queue and ids are checked when the letters are read."""
        return all(
            wanted is None or wanted == actual
            for wanted, actual in (
                (self.task, letter.task),
                (self.exception, letter.exception),
                (self.reason, letter.reason),
            )
        )


MATCH_ALL = DeadLetterFilter()


class DeadLetterQueue:
    """The dead letters of all queues.

    Every method raises `redis.RedisError` if Redis does not answer.

    Args:
        client: Client for the queue Redis, with replies as bytes.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._requeue = client.register_script(queue_scripts.REQUEUE_DEAD_LETTER)
        self._delete = client.register_script(queue_scripts.DELETE_DEAD_LETTERS)
        self._delete_old = client.register_script(queue_scripts.DELETE_OLD_DEAD_LETTERS)

    def find(self, wanted: DeadLetterFilter = MATCH_ALL, *, limit: int | None = 100) -> list[DeadLetter]:
        """Return up to `limit` matching letters (all of them if None), newest first."""
        letters = sorted((letter for letter, _ in self._read(wanted, limit)), key=lambda letter: -letter.died_at)
        return letters[:limit]

    def show(self, id: str) -> DeadLetter | None:
        """Return the letter with this id, or None if there is none."""
        return next(iter(self.find(DeadLetterFilter(ids=[id]))), None)

    def requeue(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """Put the matching letters back in their queues as new messages, and return them.

        Each letter moves in one atomic step, so even if the process dies, a letter is either still dead or in its
        queue. A letter that was never a valid message stays a dead letter.
        """
        requeued = []
        for letter, data in self._read(wanted, None):
            if letter.reason == DeadLetterReason.UNDECODABLE:
                continue
            names = [keys.dead(letter.queue), keys.dead_messages(letter.queue)]
            names += [keys.ready(letter.queue), keys.messages(letter.queue)]
            if self._requeue(keys=names, args=[letter.id, requeued_message(data, round(time.time() * 1000))]):
                requeued.append(letter)
        return requeued

    def purge(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """Delete the matching letters, and return them."""
        purged = []
        for letter, _ in self._read(wanted, None):
            if self._delete(keys=[keys.dead(letter.queue), keys.dead_messages(letter.queue)], args=[letter.id]):
                purged.append(letter)
        return purged

    def drop_older(self, before: float, *, dry_run: bool = False) -> int:
        """Delete the letters that died before a given time, and return how many were, or would be, deleted.

        Args:
            before: Time before which the letters died, in Unix seconds.
            dry_run: Whether to count the letters without deleting them.
        """
        queues = discover_queues(self._client)
        if dry_run:
            return sum(self._client.zcount(keys.dead(queue), "-inf", f"({before * 1000}") for queue in queues)
        dropped = 0
        for queue in queues:
            names = [keys.dead(queue), keys.dead_messages(queue)]
            while count := int(self._delete_old(keys=names, args=[round(before * 1000), DELETE_BATCH])):
                dropped += count
        return dropped

    def _read(self, wanted: DeadLetterFilter, limit: int | None) -> Iterator[tuple[DeadLetter, bytes]]:
        """Yield the matching letters, newest first, at most `limit` per queue."""
        newest_ms = (time.time() - wanted.older_than_seconds) * 1000 if wanted.older_than_seconds else math.inf
        for queue in [wanted.queue] if wanted.queue else sorted(discover_queues(self._client)):
            letters = self._letters(queue, self._death_times(queue, newest_ms, wanted.ids))
            yield from itertools.islice((row for row in letters if wanted.matches(row[0])), limit)

    def _death_times(self, queue: str, newest_ms: float, ids: Sequence[str] | None) -> list[tuple[str, float]]:
        """Return ids and times of death, newest first.

        They are all read in one go, because ranks would shift if the caller deleted letters in the meantime.
        """
        if ids is None:
            ranked: Any = self._client.zrevrangebyscore(
                keys.dead(queue), newest_ms, "-inf", start=0, num=MAX_LETTERS_PER_QUEUE, withscores=True
            )
            return [(redis_id.decode(), score) for redis_id, score in ranked]
        scores: Any = self._client.zmscore(keys.dead(queue), list(ids)) if ids else []
        return [(id, score) for id, score in zip(ids, scores, strict=True) if score is not None and score <= newest_ms]

    def _letters(self, queue: str, death_times: Sequence[tuple[str, float]]) -> Iterator[tuple[DeadLetter, bytes]]:
        for batch in chunks(death_times, READ_BATCH):
            stored: Any = self._client.hmget(keys.dead_messages(queue), [id for id, _ in batch])
            for (id, died_at_ms), data in zip(batch, stored, strict=True):
                if data is not None:
                    yield parse_dead_letter(id, queue, data, died_at_ms), data
