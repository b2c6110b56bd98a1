"""Tests of stored bars that are impossible: they never stop a check, and a full history removes them (D6)."""

from array import array
from dataclasses import replace

import pytest

from financehub_shared.core.models import Asset, Bars
from financehub_shared.market.encoding.series import replace_bars
from support.bar_histories import COIN, STOCK, bars, read_history, read_increment, walk

TRUE = walk(60)
RIGHT = bars(TRUE)
COLUMNS = ("days", "open", "high", "low", "close", "volume")


def with_price(name: str, place: int, price: float) -> Bars:
    """Return the right bars with another price in one place."""
    column = array("d", getattr(RIGHT, name))
    column[place] = price
    return replace(RIGHT, **{name: column})


def with_day(day: int, volume: float = 100.0) -> Bars:
    """Return the right bars and a bar of one more day."""
    return replace_bars(RIGHT, replace(bars([TRUE[-1]], volume=volume), days=array("i", [day])), None)


#: An overlap begins ten bars before the end, so these places are in it, directly before it, and long before it.
PLACES = [-1, -5, -11, 20]
STORED = [
    *(with_price(name, place, price) for name in ("open", "close") for place in PLACES for price in (0.0, -5.0)),
    with_day(RIGHT.days[-1] + 400),
    with_day(RIGHT.days[-1] + 3),
]


@pytest.mark.parametrize("asset", [STOCK, COIN], ids=["stock", "coin"])
@pytest.mark.parametrize("stored", STORED)
def test_stored_bar_that_is_impossible_is_removed_by_a_full_history(asset: Asset, stored: Bars):
    """D6: the full history replaces an impossible stored bar and says so, whatever the bar is."""
    checked = read_history(RIGHT, stored=stored, asset=asset, price=TRUE[-1])
    assert replace_bars(stored, checked.bars, checked.first_day) == RIGHT
    assert [record.reason_class for record in checked.records] == ["history"]
    assert "1 replaced" in checked.records[0].reason or "1 removed" in checked.records[0].reason
    assert "added" not in checked.records[0].reason


@pytest.mark.parametrize("asset", [STOCK, COIN], ids=["stock", "coin"])
@pytest.mark.parametrize("stored", STORED)
def test_stored_bar_that_is_impossible_is_noticed_by_a_short_answer(asset: Asset, stored: Bars):
    """D6: a short answer never fails because of a stored bar. If the bar is in its reach, the history is read."""
    delivered = replace(RIGHT, **{name: getattr(RIGHT, name)[-10:] for name in COLUMNS})
    checked = read_increment(delivered, stored, asset=asset, price=TRUE[-1])
    is_far = stored.days == RIGHT.days and (stored.open[20] <= 0 or stored.close[20] <= 0 or stored.open[-11] <= 0)
    assert bool(checked.doubt) is not is_far
