"""Reports stored records that cannot be read, while the store serves all others."""

import time
from collections.abc import Callable, Collection

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.left_out import note_left_out
from financehub_shared.core.log import get_logger

log = get_logger(__name__)

#: Receives each record that cannot be read.
ReportUnreadable = Callable[[CorruptDataError], None]
#: Symbol → the error of its record, for callers that decide what a missing record means.
Unreadable = dict[str, CorruptDataError]

#: Number of records that are remembered as logged.
_REMEMBERED = 10_000


def reasons_of(unreadable: Unreadable, symbols: Collection[str] | None) -> dict[str, str]:
    """Return symbol → why its record cannot be read, for the summary of a run.

    Args:
        unreadable: The errors by symbol.
        symbols: Symbols to which the run is limited. None selects all.
    """
    return {symbol: str(error) for symbol, error in unreadable.items() if symbols is None or symbol in symbols}


class UnreadableLog:
    """Logs each unreadable record once an hour, because the scheduler and the metrics read the store every few seconds.

    Args:
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged: dict[str, float] = {}

    def __call__(self, error: CorruptDataError) -> None:
        note_left_out(str(error))
        now = self._monotonic()
        if now - self._logged.get(error.key, float("-inf")) < HOUR_SECONDS:
            return
        if len(self._logged) >= _REMEMBERED:
            self._logged.clear()
        self._logged[error.key] = now
        log.warning("record_unreadable", key=error.key, reason=str(error))
