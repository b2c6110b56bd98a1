"""Look at, revive and drop dead letters, singly or by filter."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from financehub_shared.broker import scripts
from financehub_shared.broker.dead_letter import DeadLetter, Reason, parse, revived
from financehub_shared.broker.queues import discover_queues
from financehub_shared.redis import queue_keys as keys

#: Dead letters read per round trip; each is a few kB.
BATCH = 200
#: Dead letters of one queue that one call goes through; who has more calls again.
AT_MOST = 100_000
#: Dead letters dropped per script, so that none holds Redis for more than some milliseconds.
DROP_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters are meant; what is left out matches all.

    Args:
        ids: only these.
        queue, task, exception, reason: equal to these.
        older_than_seconds: died at least this long ago.
    """

    ids: Sequence[str] | None = None
    queue: str | None = None
    task: str | None = None
    exception: str | None = None
    reason: str | None = None
    older_than_seconds: float = 0

    def matches(self, letter: DeadLetter) -> bool:
        """Whether all that is set is equal; age and queue are decided where the letters are read."""
        return all(
            wanted is None or wanted == actual
            for wanted, actual in (
                (self.task, letter.task),
                (self.exception, letter.exception),
                (self.reason, letter.reason),
            )
        )


EVERYTHING = Filter()


class DeadLetters:
    """The dead letters of all queues.

    Every method raises `redis.RedisError` when Redis does not answer.

    Args:
        client: of the queues' Redis, answers bytes.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._revive = client.register_script(scripts.REVIVE)
        self._bury = client.register_script(scripts.BURY)
        self._bury_older = client.register_script(scripts.BURY_OLDER)

    def find(self, wanted: Filter = EVERYTHING, *, limit: int | None = 100) -> list[DeadLetter]:
        """The newest `limit` that match (None: all), newest first."""
        letters = sorted((letter for letter, _ in self._read(wanted, limit)), key=lambda each: -each.died_at)
        return letters[:limit]

    def show(self, id: str) -> DeadLetter | None:
        """One dead letter, None when there is none of that id."""
        return next(iter(self.find(Filter(ids=[id]))), None)

    def requeue(self, wanted: Filter) -> list[DeadLetter]:
        """Put what matches back into its queue as if it were new; returns what went.

        One atomic step each: killed in between, a letter is either dead or in its queue. What was no message in the
        first place stays.
        """
        gone = []
        for letter, data in self._read(wanted, None):
            if letter.reason == Reason.UNDECODABLE:
                continue
            names = [keys.dead(letter.queue), keys.dead_messages(letter.queue)]
            names += [keys.ready(letter.queue), keys.messages(letter.queue)]
            if self._revive(keys=names, args=[letter.id, revived(data, round(time.time() * 1000))]):
                gone.append(letter)
        return gone

    def purge(self, wanted: Filter) -> list[DeadLetter]:
        """Drop what matches for good; returns what went."""
        gone = []
        for letter, _ in self._read(wanted, None):
            if self._bury(keys=[keys.dead(letter.queue), keys.dead_messages(letter.queue)], args=[letter.id]):
                gone.append(letter)
        return gone

    def drop_older(self, before: float, *, dry_run: bool = False) -> int:
        """Drop what died before a time; returns how many (would) go.

        Args:
            before: Unix seconds.
            dry_run: only count.
        """
        queues = discover_queues(self._client)
        if dry_run:
            return sum(self._client.zcount(keys.dead(queue), "-inf", f"({before * 1000}") for queue in queues)
        dropped = 0
        for queue in queues:
            names = [keys.dead(queue), keys.dead_messages(queue)]
            while count := int(self._bury_older(keys=names, args=[round(before * 1000), DROP_BATCH])):
                dropped += count
        return dropped

    def _read(self, wanted: Filter, limit: int | None) -> Iterator[tuple[DeadLetter, bytes]]:
        """Newest first, per queue at most `limit`."""
        newest_ms = (time.time() - wanted.older_than_seconds) * 1000 if wanted.older_than_seconds else math.inf
        for queue in [wanted.queue] if wanted.queue else sorted(discover_queues(self._client)):
            letters = self._letters(queue, self._scores(queue, newest_ms, wanted.ids))
            yield from itertools.islice((each for each in letters if wanted.matches(each[0])), limit)

    def _scores(self, queue: str, newest_ms: float, ids: Sequence[str] | None) -> list[tuple[str, float]]:
        """Ids and times of death, newest first; all at once, since the caller may remove some and ranks would shift."""
        if ids is None:
            ranked: Any = self._client.zrevrangebyscore(
                keys.dead(queue), newest_ms, "-inf", start=0, num=AT_MOST, withscores=True
            )
            return [(redis_id.decode(), score) for redis_id, score in ranked]
        scores: Any = self._client.zmscore(keys.dead(queue), list(ids)) if ids else []
        return [(id, score) for id, score in zip(ids, scores, strict=True) if score is not None and score <= newest_ms]

    def _letters(self, queue: str, scores: Sequence[tuple[str, float]]) -> Iterator[tuple[DeadLetter, bytes]]:
        for start in range(0, len(scores), BATCH):
            batch = scores[start : start + BATCH]
            stored: Any = self._client.hmget(keys.dead_messages(queue), [id for id, _ in batch])
            for (id, score), data in zip(batch, stored, strict=True):
                if data is not None:
                    yield parse(id, queue, data, score), data
