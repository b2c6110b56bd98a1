"""Lists the newest runs of all tasks that match a filter, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

import redis

from financehub_shared.core.chunks import chunks
from financehub_shared.monitor.run_filter import RunFilter, RunPosition
from financehub_shared.monitor.run_index import Entry, index_keys, read_entries
from financehub_shared.monitor.run_reader import read_runs
from financehub_shared.monitor.run_records import RunRecord
from financehub_shared.redis.text import decode, id_text

#: Number of runs whose fields one script call compares, so that it does not block Redis for more than a few ms.
_PART = 500
#: No filter.
ALL_RUNS = RunFilter()


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs of a list.

    Args:
        runs: The runs, newest first.
        last: Position of the last run, behind which the next page begins. None if there is no next page.
    """

    runs: Sequence[RunRecord]
    last: RunPosition | None


def find_runs(
    client: "redis.Redis", wanted: RunFilter = ALL_RUNS, *, after: RunPosition | None = None, limit: int = 100
) -> RunPage:
    """Return the newest runs that match a filter: those in progress by their start, and those that ended by their end.

    Runs that wait for an attempt are not listed; they are messages in a queue. A run that ends between the reading of
    two pages moves to the front of the list, and is therefore on neither of them or on both.

    A page without a filter, or with a filter by task or time, costs the same however many runs there are. The other
    filters read up to three fields of one run after another until the page is full.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        wanted: Selects the runs.
        after: Position of the last run of the previous page; None for the first page.
        limit: Maximum number of runs.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    part = _PART if wanted.fields else limit + 1
    entries = read_entries(client, index_keys(client, wanted), wanted, after, part)
    found: list[tuple[Entry, RunRecord]] = []
    seen: set[bytes] = set()
    for some in chunks(entries, limit + 1):
        # a run that was lost and came back is in two indexes
        new = {id: (at, id) for at, id in reversed(some) if id not in seen}
        seen.update(new)
        records = {run.message_id: run for run in read_runs(client, map(decode, new))}
        newest_first = [(entry, decode(entry[1])) for entry in sorted(new.values(), reverse=True)]
        found += [(entry, records[id]) for entry, id in newest_first if id in records]
        if len(found) > limit:
            break
    page = found[:limit]
    has_more = len(found) > limit
    return RunPage([run for _, run in page], _position(page[-1][0]) if has_more else None)


def _position(entry: Entry) -> RunPosition:
    at, id = entry
    return RunPosition(at, id_text(id))
