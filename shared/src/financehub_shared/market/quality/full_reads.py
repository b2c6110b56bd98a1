"""Decides when the whole history of an asset is read again. Pure.

Upstream errors that are older than the overlap of two fetches can be found only in the whole history, so every few days
the whole history is read instead of the newest bars. This also takes only one request.
"""

import zlib
from dataclasses import dataclass

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS

#: Longest regular time between two full reads. The shortest is up to two days less, so that assets are due on different
#: days.
INTERVAL_SECONDS = 7 * DAY_SECONDS
_SPREAD_SECONDS = 2 * DAY_SECONDS
#: A history that was read for the first time, or has errors that an upstream may repair, is read again after this time.
AGAIN_SECONDS = 20 * HOUR_SECONDS
#: Shortest time between two full reads, for an upstream whose history changes again and again.
PAUSE_SECONDS = 6 * HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class FullRead:
    """The last time at which the whole history of an asset was read.

    Args:
        at: Time of the answer in Unix seconds.
        due: Time in Unix seconds from which the next fetch reads the whole history again.
    """

    at: float
    due: float

    def is_due(self, now: float) -> bool:
        """Whether the next fetch reads the whole history. A `due` that only a wrong clock explains is past."""
        return not now < self.due <= now + INTERVAL_SECONDS

    def allows_another(self, now: float) -> bool:
        """Whether the history may be read in full again because something is wrong."""
        return not 0 <= now - self.at < PAUSE_SECONDS


def next_full_read(symbol: str, now: float, *, is_settled: bool) -> FullRead:
    """Return the record of a full read.

    Args:
        symbol: The canonical symbol. Its hash spreads the full reads of all assets over several days.
        now: Time of the answer in Unix seconds.
        is_settled: Whether the history confirmed what was stored, so that nothing has to be checked again soon.
    """
    spread = zlib.crc32(symbol.encode()) % _SPREAD_SECONDS
    return FullRead(now, now + (INTERVAL_SECONDS - spread if is_settled else AGAIN_SECONDS))
