"""Pages of lists that are too long to be read as a whole: the newest records first, from a time on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Generic, TypeVar

from financehub_web.api.paging import Key, make_token, rank, read_token

T = TypeVar("T")
V = TypeVar("V")

#: Number of records that one request examines. If a filter matches few of them, the page is short and has a token.
MOST_EXAMINED = 5_000
#: Smallest number of records that are read at once.
_FEWEST_READ = 100


@dataclass(frozen=True, slots=True)
class NewestFirst(Generic[T, V]):
    """A list with the newest records first.

    Args:
        read: Returns the newest records up to a time in Unix seconds, at most a given number of them.
        key: Returns the unique key of a record. Its first part is the time by which `read` selects.
        select: Returns those of some records that belong to the list, each with its value in the list.
        since: Time in Unix seconds before which no record belongs to the list.
    """

    read: Callable[[float, int], Sequence[T]]
    key: Callable[[T], Key]
    select: Callable[[Sequence[T]], Sequence[tuple[T, V]]]
    since: float | None = None

    def page(self, limit: int, token: str) -> tuple[list[V], str | None]:
        """Return one page, and the token of the next one, or None at the end.

        Args:
            limit: Largest number of records on the page.
            token: The token of the page; empty for the first one.

        Raises:
            ApiError: The token is damaged.
        """
        last = read_token(token) if token else None
        page: list[tuple[T, V]] = []
        examined = 0
        while True:
            rest, is_end = self._next(last, max(limit + 1, _FEWEST_READ))
            page += self.select(rest)
            if len(page) > limit:
                del page[limit:]
                return [value for _, value in page], make_token(self.key(page[-1][0]))
            if is_end:
                return [value for _, value in page], None
            last = self.key(rest[-1])
            examined += len(rest)
            if examined >= MOST_EXAMINED:
                return [value for _, value in page], make_token(last)

    def _next(self, last: Key | None, count: int) -> tuple[list[T], bool]:
        """Return some records after a key in order, and whether they are the last ones."""
        while True:
            found = self.read(inf if last is None else _time(last), count)
            is_end = len(found) < count
            # Of the oldest time, more records may exist than were read. Their order is only known with all of them.
            oldest = nan if is_end else min(self.key(record)[0] for record in found)
            ranked = sorted(
                ((rank(key, descending=True), key[0], record) for record in found if (key := self.key(record))),
                key=lambda row: row[0],
            )
            start = None if last is None else rank(last, descending=True)
            rest = [row for row in ranked if row[1] != oldest and (start is None or row[0] > start)]
            if not rest and not is_end:
                count *= 2  # all of them have the same time
                continue
            within = [record for _, at, record in rest if self.since is None or at >= self.since]
            return within, is_end or len(within) < len(rest)


def _time(key: Key) -> float:
    """Return the time in a key from a token, which any client may have written."""
    return float(key[0]) if isinstance(key[0], int | float) and key[0] == key[0] else inf
