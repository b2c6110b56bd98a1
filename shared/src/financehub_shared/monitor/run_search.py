"""Finds runs by the beginnings of their ids, which users copy from listings."""

from typing import Any

import redis

from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.monitor.run_reader import read_runs
from financehub_shared.monitor.run_records import RunRecord
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

#: Number of characters of an id that a user must write at least, so that a beginning does not match too many runs.
SHORTEST_BEGINNING = 4
#: Number of runs that the message about an ambiguous beginning counts, and that it lists.
_COUNTED, _LISTED = 1_000, 8
#: Number of keys that one command looks at, so that it does not block Redis for more than a few ms.
_PART = 5_000
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\*?[]^"})


def find_run(client: "redis.Redis", beginning: str) -> RunRecord:
    """Return the only run whose id begins with a text.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        beginning: The beginning of the id, or the whole id.

    Raises:
        InvalidArgumentsError: No run or several runs have such an id, or the text is too short.
    """
    if beginning and (exact := read_runs(client, [beginning])):
        return exact[0]
    if len(beginning) < SHORTEST_BEGINNING:
        problem = f"{beginning!r} is too short; write at least {SHORTEST_BEGINNING} characters of the id"
        raise InvalidArgumentsError("runs", "id", problem)
    runs = read_runs(client, find_run_ids(client, beginning, _COUNTED))
    shown = repr(beginning[:100])
    if len(runs) == 1:
        return runs[0]
    if not runs:
        problem = f"the run {shown} is unknown, or its record has expired; `financehub runs list` lists the runs"
        raise InvalidArgumentsError("runs", "id", problem)
    listed = ", ".join(f"{run.message_id} ({run.task}, {run.state})" for run in runs[:_LISTED])
    more = f" and {len(runs) - _LISTED:,} more" if len(runs) > _LISTED else ""
    problem = f"the ids of {len(runs):,} runs begin with {shown}: {listed}{more}; write more characters"
    raise InvalidArgumentsError("runs", "id", problem)


def find_run_ids(client: "redis.Redis", beginning: str, limit: int) -> list[str]:
    """Return the ids that begin with a text, sorted, at most `limit`, including those of runs that wait.

    The search looks at the names of all keys, which takes about 0.1 s for 100,000 runs.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        beginning: The beginning of the ids.
        limit: Number of ids after which the search stops.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    pattern = keys.run(beginning).translate(_SPECIAL) + "*"
    begins_at = len(keys.run(""))
    found: set[str] = set()
    cursor: Any = 0
    while True:
        cursor, names = client.scan(cursor, match=pattern, count=_PART)
        found.update(decode(name)[begins_at:] for name in names)
        if int(cursor) == 0 or len(found) >= limit:
            return sorted(found)[:limit]
