"""The prices of a chart."""

from financehub_shared.core.models import Candle
from financehub_web.console.price_series import daily_series, intraday_series
from support.market_data import bars


def test_daily_series_contains_the_last_days() -> None:
    """A range counts calendar days before the newest bar, and 0 is all."""
    stored = bars("AAPL", [20_000, 20_005, 20_009, 20_010])
    month = daily_series(stored, 6)
    assert month is not None
    assert month.times == ["2024-10-09", "2024-10-13", "2024-10-14"]
    whole = daily_series(stored, 0)
    assert whole is not None
    assert len(whole.times) == 4
    assert whole.summary()["low"] == min(stored.low)
    assert [row["time"] for row in whole.newest_rows()] == ["2024-10-14", "2024-10-13", "2024-10-09", "2024-10-04"]


def test_series_without_prices_is_none() -> None:
    """An asset without bars or without intraday prices has no chart."""
    assert daily_series(None, 0) is None
    assert daily_series(bars("AAPL", []), 0) is None
    assert intraday_series([]) is None


def test_intraday_series_has_no_volume() -> None:
    """The accepted prices have no volume, and the times are those of the intervals."""
    series = intraday_series([Candle(1_800_000_000.0, 1.0, 3.0, 0.5, 2.0, 4)])
    assert series is not None
    assert series.seconds == [1_800_000_000.0]
    (row,) = series.newest_rows()
    assert row == {
        "time": "2027-01-15T08:00:00.000Z",
        "volume": None,
        "open": 1.0,
        "high": 3.0,
        "low": 0.5,
        "close": 2.0,
    }
