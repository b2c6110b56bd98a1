"""Lists the newest runs of all tasks that match a filter, page by page."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import redis

from financehub_shared.monitor.run_filter import RunFilter, RunPosition
from financehub_shared.monitor.run_index import Entry, IndexReader, Reached, index_keys, read_indexes
from financehub_shared.monitor.run_reader import read_runs
from financehub_shared.monitor.run_records import RunRecord
from financehub_shared.redis.text import decode, id_text

#: Number of runs whose fields one script call compares, so that it does not block Redis for more than a few ms.
_PART = 500
#: Number of runs that one page searches. Such a search takes about 0.1 s, and with a filter that matches few runs the
#: page is short and says where the next one continues.
MOST_SEARCHED = 20_000
#: No filter.
ALL_RUNS = RunFilter()


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs of a list.

    Args:
        runs: The runs, newest first.
        last: Position behind which the next page begins. None if there is no next page.
        searched: Number of runs after which the search stopped before the page was full; 0 if it did not stop.
    """

    runs: Sequence[RunRecord]
    last: RunPosition | None
    searched: int = 0


def find_runs(
    client: "redis.Redis", wanted: RunFilter = ALL_RUNS, *, after: RunPosition | None = None, limit: int = 100
) -> RunPage:
    """Return the newest runs that match a filter: those in progress by their start, and those that ended by their end.

    Runs that wait for an attempt are not listed; they are messages in a queue. A run that ends between the reading of
    two pages moves to the front of the list, and is therefore on neither of them or on both.

    A page without a filter, or with a filter by task or time, costs the same however many runs there are. The other
    filters compare up to four fields of one run after another until the page is full, or until about `MOST_SEARCHED`
    runs have been searched.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        wanted: Selects the runs.
        after: Position behind which the page begins, from the previous page; None for the first page.
        limit: Maximum number of runs.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    indexes = index_keys(client, wanted)
    readers = read_indexes(client, indexes, wanted, after, _part(wanted, len(indexes), limit))
    found: list[tuple[Entry, RunRecord]] = []
    seen: set[bytes] = set()
    entries = heapq.merge(*readers, reverse=True)
    while some := _take(entries, limit + 1, readers, wanted):
        # a run that was lost and came back is in two indexes
        new = {id: (at, id) for at, id, is_wanted in reversed(some) if is_wanted and id not in seen}
        seen.update(new)
        records = {run.message_id: run for run in read_runs(client, map(decode, new))}
        newest_first = [(entry, decode(entry[1])) for entry in sorted(new.values(), reverse=True)]
        found += [(entry, records[id]) for entry, id in newest_first if id in records]
        if len(found) > limit:
            break
        if (searched := _searched(readers, wanted)) >= MOST_SEARCHED:
            at, id, _ = some[-1]
            return RunPage([run for _, run in found], _position((at, id)), searched)
    page = found[:limit]
    has_more = len(found) > limit
    return RunPage([run for _, run in page], _position(page[-1][0]) if has_more else None)


def _part(wanted: RunFilter, indexes: int, limit: int) -> int:
    """Return the number of entries of each index that one command looks at."""
    if not wanted.fields:
        return limit + 1
    # The first parts of all indexes are read at once, and must leave something of the search for the following ones.
    return min(_PART, max(1, MOST_SEARCHED // (2 * max(1, indexes))))


def _take(entries: Iterator[Reached], count: int, readers: Sequence[IndexReader], wanted: RunFilter) -> list[Reached]:
    """Return the next entries, at most `count`, and fewer if enough runs have been searched."""
    some: list[Reached] = []
    for entry in entries:
        some.append(entry)
        if len(some) >= count or _searched(readers, wanted) >= MOST_SEARCHED:
            break
    return some


def _searched(readers: Sequence[IndexReader], wanted: RunFilter) -> int:
    """Return the number of runs whose fields were compared. Without such a filter, every run is wanted."""
    return sum(reader.examined for reader in readers) if wanted.fields else 0


def _position(entry: Entry) -> RunPosition:
    at, id = entry
    return RunPosition(at, id_text(id))
