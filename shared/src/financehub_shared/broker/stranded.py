"""Finds messages that neither wait in their queue nor are held by a worker, and puts them back in their queue.

No script of ours leaves such a message, but another program may replace or change the keys. The janitor looks for them.
A queue can have millions of messages, so no call reads all of them: the ids are read in parts, while workers go on.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import redis

from financehub_shared.broker import stranded_scripts
from financehub_shared.broker.queues import scan_names
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.key_types import wrong_keys
from financehub_shared.redis.replies import is_wrong_type

#: Number of waiting ids that one call reads, which takes Redis about a millisecond.
WAITING_BATCH = 5_000
#: Number of messages whose ids one call reads, more or less. Redis reads the messages too, which have up to 1 MB each,
#: and usually less than 1 kB.
MESSAGE_BATCH = 1_000
#: Number of stranded messages of a queue that are put back in one round. A hash of another program can have any number
#: of fields.
MOST = 1_000
#: Characters of the ids that a message gets whose id is too long to be returned.
_SHORT_ID = 40
#: Number of checks whether a worker holds an id that one call makes.
_CHECKS = 10_000
#: Number of ids, more or less, that a round compares. In a longer queue, two rounds look at the same part of the ids,
#: the next two at another part, and so on. The ids of a part take 10 MB of memory.
PART = 100_000


class StrandedMessages:
    """Finds stranded messages in rounds.

    A message is put back, with another id, if two rounds in a row find it neither in its queue nor with a worker. One
    round is not enough, because a worker may have begun to fetch after the names of the keys were read. They are read
    again before a message is put back. If both rounds overlook a waiting message, because workers fetched it and gave
    it back meanwhile, it only moves to the end of its queue: its entry there has no message any more.

    Args:
        client: Client for the queue Redis, with replies as bytes.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._count = client.register_script(stranded_scripts.COUNT_STRANDED)
        self._waiting_ids = client.register_script(stranded_scripts.WAITING_IDS)
        self._message_ids = client.register_script(stranded_scripts.MESSAGE_IDS)
        self._restore = client.register_script(stranded_scripts.RESTORE)
        #: Queue → ids of the messages that the last round found.
        self.found: dict[str, set[bytes]] = {}
        self._round = 1

    def recover(self, names: Sequence[str]) -> dict[str, int]:
        """Run one round.

        Args:
            names: The names of all keys of the broker.

        Returns:
            Queue or delay queue → number of messages that were put back, without queues that had none.

        Raises:
            redis.RedisError: Redis does not answer, or refuses a command.
        """
        self._round += 1
        acks = _acks_by_queue(names)
        found, recovered = {}, {}
        for queue in sorted({name[len(keys.NAMESPACE) + 1 : -len(".msgs")] for name in names if _has_messages(name)}):
            found[queue], recovered[queue] = self._recover_of(queue, acks.get(queue, []))
        self.found = {queue: ids for queue, ids in found.items() if ids}
        return {queue: count for queue, count in recovered.items() if count}

    def _recover_of(self, queue: str, acks: list[str]) -> tuple[set[bytes], int]:
        """Put back the stranded messages of a queue that are known, and return the others and the number.

        Keys of workers that have a wrong type are left out. The other maintenance reports wrong keys.
        """
        own = [keys.ready(queue), keys.messages(queue)]
        try:
            return self._find_and_restore(queue, own, acks)
        except redis.ResponseError as error:
            if not is_wrong_type(error):
                raise
        wrong = wrong_keys(self._client, dict.fromkeys(acks, "set"))
        try:
            return self._find_and_restore(queue, own, [key for key in acks if key not in wrong], wrong)
        except redis.ResponseError as error:
            if not is_wrong_type(error):
                raise
        return set(), 0  # one of the queue's own keys has a wrong type

    def _find_and_restore(
        self, queue: str, own: list[str], acks: list[str], wrong: Collection[str] = ()
    ) -> tuple[set[bytes], int]:
        if int(self._count(keys=[*own, *acks])) <= 0:
            return set(), 0
        before = self.found.get(queue, set())
        again, new, restored = self._find(own, acks, before)
        if again:
            # Other workers may have fetched one of these messages since the names of the keys were read.
            known = _acks_by_queue(scan_names(self._client)).get(queue, [])
            acks = [key for key in known if key not in wrong]
        batch = max(1, _CHECKS // (len(acks) + 1))
        restored += sum(
            int(self._restore(keys=[*own, *acks], args=again[start : start + batch]))
            for start in range(0, len(again), batch)
        )
        return new, restored

    def _find(self, own: list[str], acks: list[str], before: set[bytes]) -> tuple[list[bytes], set[bytes], int]:
        """Return the stranded ids that the last round found too, and up to `MOST` other ones.

        Messages whose ids are too long are put back at once, if the last round found them too. Their number is the last
        part of the result.

        Args:
            own: The keys of the queue: ready and messages.
            acks: The keys with the ids that workers hold.
            before: The ids that the last round found.
        """
        waiting: int = self._client.llen(own[0])
        # A power of two seldom changes, and a part is looked at twice only if it does not.
        parts = 1 << (waiting // PART).bit_length()
        part = self._round // 2 % parts
        placed: set[bytes] = set()

        def in_part(ids: Iterable[bytes]) -> Iterable[bytes]:
            return ids if parts == 1 else [id for id in ids if hash(id) % parts == part]

        # Ids leave the list at its head, so those that have not been read yet never move behind those that have. Those
        # that leave it meanwhile are then with a worker.
        for end in range(waiting - 1, -1, -WAITING_BATCH):
            placed.update(in_part(self._waiting_ids(keys=own[:1], args=[max(0, end - WAITING_BATCH + 1), end])))
        for key in acks:
            placed.update(in_part(self._client.sscan_iter(key, count=WAITING_BATCH)))
        again: list[bytes] = []
        new: set[bytes] = set()
        cursor: Any = b"0"
        restored = 0
        wanted = [id for id in in_part(before) if len(id) == _SHORT_ID and id not in placed]
        while True:
            cursor, number, ids = self._message_ids(keys=own, args=[cursor, MESSAGE_BATCH, *wanted])
            restored += number
            for id in in_part(ids):
                if id in before and id not in placed:
                    again.append(id)
                elif id not in placed and len(new) < MOST:
                    new.add(id)
            if cursor == b"0":
                return again, new, restored


def _acks_by_queue(names: Iterable[str]) -> dict[str, list[str]]:
    """Return queue → the keys with the ids that workers hold, without queues that have none."""
    acks: dict[str, list[str]] = {}
    for name in names:
        if match := keys.ACKS_KEY.match(name):
            acks.setdefault(match["queue"], []).append(name)
    return acks


def _has_messages(name: str) -> bool:
    """Whether a key holds the messages of a queue or a delay queue, and not its dead letters."""
    return name.endswith(".msgs") and not name.endswith(".XQ.msgs")
