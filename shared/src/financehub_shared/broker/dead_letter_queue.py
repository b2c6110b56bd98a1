"""Finds, requeues and deletes the dead letters of all queues, by id or by filter."""

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import redis

from financehub_shared.broker import dead_letter_scripts
from financehub_shared.broker.dead_letter import DeadLetter, parse_dead_letter, requeued_message
from financehub_shared.broker.dead_letter_ids import stored_ids
from financehub_shared.broker.dead_letter_reason import MessageRefusedError
from financehub_shared.broker.door import MAX_MESSAGE_BYTES, MAX_READ_BYTES
from financehub_shared.broker.queues import discover_queues
from financehub_shared.core.chunks import chunks
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.key_types import readable, repaired, report_wrong_key, wrong_keys
from financehub_shared.redis.replies import is_wrong_type
from financehub_shared.redis.server_clock import server_time
from financehub_shared.redis.text import escaped_text

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
        died_until: Latest time of death in Unix seconds.
    """

    ids: Sequence[str] | None = None
    queue: str | None = None
    task: str | None = None
    exception: str | None = None
    reason: str | None = None
    older_than_seconds: float = 0
    died_until: float = math.inf

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
#: Number of dead letters of each queue that a search with a limit looks at. Reading one takes about 0.1 ms.
MOST_SEARCHED = 2_000


class FoundLetters(NamedTuple):
    """The result of a search with a limit.

    Args:
        letters: The letters, newest first.
        searched: Number of letters of a queue after which the search stopped; 0 if it did not stop.
    """

    letters: list[DeadLetter]
    searched: int


class _StoredLetter(NamedTuple):
    """A letter, its id in Redis and its content; None if Redis has only the id."""

    letter: DeadLetter
    id: bytes
    data: bytes | None


class DeadLetterQueue:
    """The dead letters of all queues.

    Every method raises `redis.RedisError` if Redis does not answer.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        max_message_bytes: Largest size of a message that may be requeued.
    """

    def __init__(self, client: "redis.Redis", max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._client = client
        self._max_message_bytes = max_message_bytes
        self._requeue = client.register_script(dead_letter_scripts.REQUEUE_DEAD_LETTER)
        self._delete = client.register_script(dead_letter_scripts.DELETE_DEAD_LETTERS)
        self._delete_old = client.register_script(dead_letter_scripts.DELETE_OLD_DEAD_LETTERS)
        self._delete_beyond = client.register_script(dead_letter_scripts.DELETE_DEAD_LETTERS_BEYOND)

    def find(self, wanted: DeadLetterFilter = MATCH_ALL, *, limit: int | None = 100) -> list[DeadLetter]:
        """Return up to `limit` matching letters (all of them if None), newest first."""
        letters = sorted((stored.letter for stored in self._read(wanted, limit)), key=lambda letter: -letter.died_at)
        return letters[:limit]

    def search(self, wanted: DeadLetterFilter, *, limit: int) -> FoundLetters:
        """Return the newest matching letters among the newest `MOST_SEARCHED` of each queue.

        Args:
            wanted: Selects the letters.
            limit: Maximum number of letters.
        """
        found: list[DeadLetter] = []
        searched = 0
        for queue, times in self._death_times_by_queue(wanted, MOST_SEARCHED + 1):
            letters = self._letters(queue, times[:MOST_SEARCHED])
            some = list(itertools.islice((row.letter for row in letters if wanted.matches(row.letter)), limit))
            if len(some) < limit and len(times) > MOST_SEARCHED:
                searched = MOST_SEARCHED
            found += some
        return FoundLetters(sorted(found, key=lambda letter: -letter.died_at)[:limit], searched)

    def show(self, id: str) -> DeadLetter | None:
        """Return the letter with this id, or None if there is none."""
        return next(iter(self.find(DeadLetterFilter(ids=[id]))), None)

    def requeue(self, wanted: DeadLetterFilter, refused: dict[str, str] | None = None) -> list[DeadLetter]:
        """Put the matching letters back in their queues as new messages, and return them.

        Each letter moves in one atomic step, so even if the process dies, a letter is either still dead or in its
        queue. A letter whose message a worker would refuse stays a dead letter.

        Args:
            wanted: Selects the letters.
            refused: Receives the id of each letter that stays, with the reason.
        """
        requeued = []
        now_ms = 0
        for number, (letter, id, data) in enumerate(self._read(wanted, None)):
            if number % READ_BATCH == 0:
                now_ms = round(server_time(self._client) * 1000)
            try:
                message = requeued_message(data, now_ms, self._max_message_bytes)
            except MessageRefusedError as error:
                if refused is not None:
                    refused[letter.id] = str(error)
                continue
            names = [keys.dead(letter.queue), keys.dead_messages(letter.queue)]
            names += [keys.ready(letter.queue), keys.messages(letter.queue)]
            if self._repaired(letter.queue, partial(self._requeue, keys=names, args=[id, message])):
                requeued.append(letter)
        return requeued

    def purge(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """Delete the matching letters, and return them."""
        purged = []
        for letter, id, _ in self._read(wanted, None):
            names = [keys.dead(letter.queue), keys.dead_messages(letter.queue)]
            if self._repaired(letter.queue, partial(self._delete, keys=names, args=[id])):
                purged.append(letter)
        return purged

    def drop_older(self, before: float, *, dry_run: bool = False, queues: Collection[str] | None = None) -> int:
        """Delete the letters that died before a given time, and return how many were, or would be, deleted.

        Args:
            before: Time before which the letters died, in Unix seconds.
            dry_run: Whether to count the letters without deleting them.
            queues: All queues that contain anything, if the caller knows them.
        """
        names = sorted(discover_queues(self._client) if queues is None else queues)
        if dry_run:
            pipeline = self._client.pipeline(transaction=False)
            for queue in names:
                pipeline.zcount(keys.dead(queue), "-inf", f"({before * 1000}")
            replies = pipeline.execute(raise_on_error=False)
            return sum(readable(map(keys.dead, names), replies, 0))
        return sum(self._drop_from(queue, self._delete_old, before * 1000) for queue in names)

    def drop_beyond(self, limit: int, *, queues: Collection[str] | None = None) -> dict[str, int]:
        """Delete the oldest letters of each queue that has more than `limit`.

        Args:
            limit: Number of letters that each queue keeps.
            queues: All queues that contain anything, if the caller knows them.

        Returns:
            Queue → number of deleted letters, for the queues that had too many.
        """
        names = sorted(discover_queues(self._client) if queues is None else queues)
        with self._client.pipeline(transaction=False) as pipeline:
            for queue in names:
                pipeline.zcard(keys.dead(queue))
            replies = pipeline.execute(raise_on_error=False)
        dropped = {}
        for queue, size in zip(names, readable(map(keys.dead, names), replies, 0), strict=True):
            # by rank and not by time, because any number of letters may have died at the same time
            if size > limit and (count := self._drop_from(queue, self._delete_beyond, limit)):
                dropped[queue] = count
        return dropped

    def _repaired(self, queue: str, call: Callable[[], Any]) -> Any:
        types = {
            keys.dead(queue): "zset",
            keys.dead_messages(queue): "hash",
            keys.ready(queue): "list",
            keys.messages(queue): "hash",
        }
        return repaired(self._client, lambda: types, call)

    def _drop_from(self, queue: str, script: Callable[..., Any], limit: float) -> int:
        """Run a script that deletes letters up to a limit until there are no more, and return their number."""
        names = [keys.dead(queue), keys.dead_messages(queue)]
        dropped = 0
        try:
            while count := int(script(keys=names, args=[limit, DELETE_BATCH])):
                dropped += count
        except redis.ResponseError as error:
            self._skip_wrong_keys(queue, error)
        return dropped

    def _read(self, wanted: DeadLetterFilter, limit: int | None) -> Iterator[_StoredLetter]:
        """Yield the matching letters, newest first, at most `limit` per queue."""
        for queue, times in self._death_times_by_queue(wanted):
            letters = self._letters(queue, times)
            yield from itertools.islice((row for row in letters if wanted.matches(row.letter)), limit)

    def _death_times_by_queue(
        self, wanted: DeadLetterFilter, most: int = MAX_LETTERS_PER_QUEUE
    ) -> Iterator[tuple[str, list[tuple[bytes, float]]]]:
        """Yield each queue with the ids and times of death of its letters that are old enough, newest first.

        Args:
            wanted: Selects the letters.
            most: Number of letters of each queue after which reading stops.
        """
        newest_ms = wanted.died_until * 1000 + 0.5  # the time of a letter is rounded when it becomes seconds
        if wanted.older_than_seconds:
            newest_ms = min(newest_ms, (server_time(self._client) - wanted.older_than_seconds) * 1000)
        for queue in [wanted.queue] if wanted.queue else sorted(discover_queues(self._client)):
            yield queue, self._death_times(queue, newest_ms, wanted.ids, most)

    def _death_times(
        self, queue: str, newest_ms: float, ids: Sequence[str] | None, most: int
    ) -> list[tuple[bytes, float]]:
        """Return ids and times of death, newest first.

        They are all read in one go, because ranks would shift if the caller deleted letters in the meantime.
        """
        if ids is not None and not ids:
            return []
        wanted = [stored for id in ids or () for stored in stored_ids(id)]
        try:
            if ids is None:
                ranked: Any = self._client.zrevrangebyscore(
                    keys.dead(queue), newest_ms, "-inf", start=0, num=most, withscores=True
                )
                return list(ranked)
            client: Any = self._client
            scores = client.zmscore(keys.dead(queue), wanted)
        except redis.ResponseError as error:
            self._skip_wrong_keys(queue, error)
            return []
        return [
            (id, score) for id, score in zip(wanted, scores, strict=True) if score is not None and score <= newest_ms
        ]

    def _letters(self, queue: str, death_times: Sequence[tuple[bytes, float]]) -> Iterator[_StoredLetter]:
        for batch in chunks(death_times, READ_BATCH):
            rest = list(batch)
            while rest:
                stored = self._contents(queue, [id for id, _ in rest])
                part, rest = rest[: len(stored)], rest[len(stored) :]
                # a letter that was requeued or deleted in the meantime has neither content nor id
                gone = self._gone(queue, [id for (id, _), data in zip(part, stored, strict=True) if data is None])
                for (id, died_at_ms), data in zip(part, stored, strict=True):
                    if id not in gone:
                        yield _StoredLetter(parse_dead_letter(escaped_text(id), queue, data, died_at_ms), id, data)

    def _contents(self, queue: str, ids: list[bytes]) -> list[bytes | None]:
        """Return the contents of letters, or of the first ones if they are large."""
        name = keys.dead_messages(queue)
        try:
            stored: Any = self._client.eval(dead_letter_scripts.READ_FIELDS, 1, name, MAX_READ_BYTES, *ids)
        except redis.ResponseError as error:
            self._skip_wrong_keys(queue, error)
            return [None] * len(ids)
        return list(stored)

    def _gone(self, queue: str, ids: list[bytes]) -> set[bytes]:
        client: Any = self._client
        scores = client.zmscore(keys.dead(queue), ids) if ids else []
        return {id for id, score in zip(ids, scores, strict=True) if score is None}

    def _skip_wrong_keys(self, queue: str, error: redis.ResponseError) -> None:
        """Report the keys of a queue's dead letters that have another type, or raise the error if there are none."""
        types = {keys.dead(queue): "zset", keys.dead_messages(queue): "hash"}
        wrong = wrong_keys(self._client, types) if is_wrong_type(error) else []
        if not wrong:
            raise error
        for key in wrong:
            report_wrong_key(key, f"it is not a {types[key]}, so its dead letters cannot be read")
