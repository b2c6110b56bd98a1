"""Keeps the thinned prices of the last day by symbol, until an asset has a newer price."""

from collections.abc import Iterable

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.market.closes import Closes
from financehub_shared.market.history import HistoryRepository
from financehub_shared.market.history_candles import whole_intervals
from financehub_shared.views.quotes import QuoteView

#: Assets whose closes are kept. Those of one take up to 4 kB.
MOST_KEPT = 2_000


class RecentCloses:
    """Reads the closes of the assets whose price is newer than their kept closes. It can be used by all threads.

    Args:
        store: Reads them.
    """

    def __init__(self, store: HistoryRepository) -> None:
        self._store = store
        #: Symbol → (time of the newest quote and start of the range), closes.
        self._kept: dict[str, tuple[tuple[str | None, float], Closes | None]] = {}

    def read(self, views: Iterable[QuoteView], now: float) -> dict[str, Closes]:
        """Return symbol → closes of the last 24 hours, which begin with a whole hour, for the assets that have any.

        Args:
            views: The newest quotes of the assets.
            now: The current time in Unix seconds.
        """
        start, _ = whole_intervals(now - DAY_SECONDS, now, HOUR_SECONDS)
        kept = self._kept
        stamps = {view["symbol"]: (view["fetched_at"], start) for view in views}
        types = {view["symbol"]: AssetType(view["type"]) for view in views}
        known = {
            symbol: kept[symbol][1] for symbol, stamp in stamps.items() if symbol in kept and kept[symbol][0] == stamp
        }
        missing = {symbol: type for symbol, type in types.items() if symbol not in known}
        read = self._store.closes(missing, start, now + MINUTE_SECONDS) if missing else {}
        if len(kept) + len(missing) > MOST_KEPT:
            kept = {}
        self._kept = kept | {symbol: (stamps[symbol], read.get(symbol)) for symbol in missing}
        found = known | read
        return {symbol: closes for symbol in stamps if (closes := found.get(symbol))}
