"""The weekly trading hours of a kind of asset, which decide when a price is stale and which bar is the newest."""

from dataclasses import dataclass

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS

_WEEK_SECONDS = 7 * DAY_SECONDS
#: 1970-01-05 was a Monday, and 1970-01-01 a Thursday.
_MONDAY = 4 * DAY_SECONDS
_THURSDAY = 3


@dataclass(frozen=True, slots=True)
class MarketHours:
    """The trading week of a kind of asset, in UTC, without public holidays.

    Clock changes shift the real hours by an hour. The trading week contains only hours that belong to it all year.

    Args:
        opens: Start of the trading week in hours after Monday 00:00. Negative hours are on Sunday.
        closes: End of the trading week in hours after Monday 00:00.
        stale_hours: Hours of the trading week after which a price is stale. The limit exceeds the longest holiday.
        stale_hours_abroad: The same for assets that are traded outside the US.
        final_hour: Hours after the end of a day (UTC) at which the bar of the day is final.
    """

    opens: float
    closes: float
    stale_hours: float
    stale_hours_abroad: float
    final_hour: float = 0.0

    def stale_seconds(self, *, abroad: bool) -> float:
        """Return the open seconds (see `open_seconds`) after which a price is stale.

        Args:
            abroad: Whether the asset is traded outside the US.
        """
        return (self.stale_hours_abroad if abroad else self.stale_hours) * HOUR_SECONDS

    def open_seconds(self, start: float, end: float) -> float:
        """Return how many of the seconds between two Unix times are in the trading week. This is the age of a price."""
        length = (self.closes - self.opens) * HOUR_SECONDS

        def since_epoch(at: float) -> float:
            weeks, into = divmod(at - _MONDAY - self.opens * HOUR_SECONDS, _WEEK_SECONDS)
            return weeks * length + min(into, length)

        return since_epoch(end) - since_epoch(start)

    def last_complete_day(self, now: float) -> int:
        """Return the newest trading day whose bar is final, in days since 1970-01-01.

        Args:
            now: Unix seconds.
        """
        day = int((now - self.final_hour * HOUR_SECONDS) // DAY_SECONDS) - 1
        while not self._is_trading_day(day):
            day -= 1
        return day

    def _is_trading_day(self, day: int) -> bool:
        """Whether noon of a day is in the trading week. Sunday has no bar, although FX and futures trade then."""
        noon = (day + _THURSDAY) % 7 * 24 + 12
        return self.opens <= noon < self.closes
