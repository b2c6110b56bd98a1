"""Reads the ids of all runs from the indexes of the tasks, newest first, in parts of limited size."""

from collections.abc import Iterator, Sequence
from typing import Any

import redis

from financehub_shared.monitor.run_filter import RunFilter, RunPosition
from financehub_shared.monitor.run_state import RunState
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable
from financehub_shared.redis.lua import lua_key_function
from financehub_shared.redis.text import decode, id_bytes

#: An entry of an index: time in Unix seconds, id. Redis sorts equal times by the bytes of the id.
Entry = tuple[float, bytes]
#: An entry that a search has reached: time, id, and whether its run is wanted.
Reached = tuple[float, bytes, bool]

#: Reads a part of an index and compares fields of the runs. KEYS: index. ARGV: newest and oldest time (s), number of
#: entries, number of fields, names of the fields, their values. Returns the number of entries, the last one, the number
#: of entries with the time of the last one, and the entries whose run has these values. An entry is an id and a time.
_READ_PART = (
    lua_key_function("run_key", keys.run)
    + """
local count = tonumber(ARGV[4])
local names = {unpack(ARGV, 5, 4 + count)}
local rows = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[2], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local last = {rows[#rows - 1], rows[#rows]}
local ties, found = 0, {}
for i = 1, #rows, 2 do
  if rows[i + 1] == last[2] then ties = ties + 1 end
  local matches = true
  if count > 0 then
    local values = redis.pcall('HMGET', run_key(rows[i]), unpack(names))
    -- A key of another type matches nothing. A run that a user started has no schedule, which counts as empty.
    matches = not values.err
    for n = 1, count do matches = matches and (values[n] or '') == ARGV[4 + count + n] end
  end
  if matches then
    table.insert(found, rows[i])
    table.insert(found, rows[i + 1])
  end
end
return {#rows / 2, last, ties, found}
"""
)
#: The reply of the script for an index that does not exist.
_NOTHING: Sequence[Any] = (0, (), 0, ())


def task_names(client: "redis.Redis") -> list[str]:
    """Return the sorted names of all tasks that have run."""
    pipeline = client.pipeline(transaction=False)
    pipeline.smembers(keys.TASKS)
    (names,) = readable([keys.TASKS], pipeline.execute(raise_on_error=False), ())
    return sorted(map(decode, names))


def index_keys(client: "redis.Redis", wanted: RunFilter) -> list[str]:
    """Return the keys of the indexes that may contain wanted runs.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        wanted: Selects the runs.
    """
    tasks = task_names(client) if wanted.task is None else [wanted.task]
    running = [] if wanted.state not in {None, RunState.RUNNING} else [keys.task_running(task) for task in tasks]
    ended = [] if wanted.state is RunState.RUNNING else [keys.task_recent(task) for task in tasks]
    return running + ended


def read_indexes(
    client: "redis.Redis", indexes: Sequence[str], wanted: RunFilter, after: RunPosition | None, part: int
) -> list["IndexReader"]:
    """Return a reader of each index. Their first parts have been read in one round trip.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        indexes: Keys of the indexes, from `index_keys`.
        wanted: Selects the runs.
        after: Read only entries behind this position; None for all.
        part: Number of entries of each index that one command looks at.
    """
    end = None if after is None else (after.at, id_bytes(after.id))
    readers = [IndexReader(client, index, wanted, end, part) for index in indexes]
    pipeline = client.pipeline(transaction=False)
    for reader in readers:
        reader.send(pipeline)
    replies = readable(indexes, pipeline.execute(raise_on_error=False) if indexes else [], _NOTHING)
    for reader, reply in zip(readers, replies, strict=True):
        reader.receive(reply)
    return readers


class IndexReader:
    """Reads the entries of one index behind `end`, newest first and part by part.

    It yields the entries of the wanted runs, and the last entry of each part, so that several readers advance together
    through the time even if one of them finds no wanted run.
    """

    def __init__(self, client: "redis.Redis", index: str, wanted: RunFilter, end: Entry | None, part: int) -> None:
        #: Number of entries that it has looked at.
        self.examined = 0
        self._client = client
        self._index = index
        self._since = "-inf" if wanted.since is None else repr(wanted.since)
        self._fields = [*wanted.fields.keys(), *wanted.fields.values()]
        self._end = end
        self._part = self._asked = part
        self._reply = _NOTHING

    def send(self, pipeline: "redis.client.Pipeline") -> None:
        """Add the command that reads the next part."""
        newest = "+inf" if self._end is None else repr(self._end[0])
        number = len(self._fields) // 2
        pipeline.eval(_READ_PART, 1, self._index, newest, self._since, self._asked, number, *self._fields)

    def receive(self, reply: Sequence[Any]) -> None:
        """Take the reply to the command that `send` added."""
        self._reply = reply
        self.examined += reply[0]

    def __iter__(self) -> Iterator[Reached]:
        """Yield the entries of the part that was read, and then those of the following parts."""
        while True:
            count, last, ties, rows = self._reply
            entries = zip(map(float, rows[1::2]), rows[::2], strict=True)
            found = [entry for entry in entries if self._is_behind(entry)]
            yield from [(at, id, True) for at, id in found]
            if count < self._asked:
                return
            last_entry = (float(last[1]), last[0])
            if self._is_behind(last_entry):
                if last_entry not in found[-1:]:
                    yield (*last_entry, False)
                self._end = last_entry
            # Entries with the same time as the last one are read again, so more are read than there are of them.
            self._asked = self._part + ties
            pipeline = self._client.pipeline(transaction=False)
            self.send(pipeline)
            (reply,) = readable([self._index], pipeline.execute(raise_on_error=False), _NOTHING)
            self.receive(reply)

    def _is_behind(self, entry: Entry) -> bool:
        return self._end is None or entry < self._end
