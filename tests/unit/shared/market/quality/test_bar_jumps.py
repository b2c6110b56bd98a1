"""Tests of crashes and bad cells: moves of the market stay, and prices that nobody traded are left out (D7)."""

from array import array
from dataclasses import replace

import pytest

from financehub_shared.core.models import Asset, Bars
from support.bar_histories import (
    COIN,
    STOCK,
    Cells,
    bars,
    read_history,
    read_increment,
    reasons,
    sessions,
    traded,
    walk,
)
from support.real_bars import CLOSES, INDICES, SPLITS, STOCKS, day_of, newest, part, real_bars

TRUE = walk(120)
ASSETS = pytest.mark.parametrize("asset", [STOCK, COIN], ids=["stock", "coin"])


def inserted(*closes: float, after: float = 1.0, at: int = 60) -> list[float]:
    """Return the walk with extra closes, given as factors of the close before, from index `at` on."""
    return [*TRUE[:at], *(TRUE[at - 1] * close for close in closes), *(close * after for close in TRUE[at:])]


@ASSETS
@pytest.mark.parametrize(
    ("factors", "after"),
    [
        ([0.661], 0.83),
        ([0.661, 0.68, 0.83], 0.83),
        ([0.5], 0.5),
        ([0.4, 0.42], 0.7),
        ([1.8, 1.9], 1.4),
        ([0.661, 0.7], 0.95),
        ([2.3], 1.6),
    ],
    ids=[
        "half back",
        "half back on day three",
        "half",
        "to 40 %",
        "a rise",
        "nearly back after two days",
        "more than double",
    ],
)
def test_crash_of_which_a_part_remains_stays(asset: Asset, factors: list[float], after: float):
    """D7: a first answer without volumes or ranges that show a crash keeps the crash if a quarter of it remains."""
    closes = inserted(*factors, after=after)
    # If only a twentieth remains, the path through the prices shows the crash.
    history = bars(traded(closes) if after == 0.95 else closes)
    assert read_history(history, asset=asset).bars == history


@ASSETS
@pytest.mark.parametrize("factors", [[0.5], [0.3, 0.32], [3.0], [0.0001], [10.0, 10.0, 9.0], [1e-7], [0.55]])
def test_bars_away_and_back_are_left_out(asset: Asset, factors: list[float]):
    """D7: one to three bars that jump away and back without a spike of the volume are bad cells."""
    delivered = bars(inserted(*factors))
    checked = read_history(delivered, asset=asset)
    assert list(checked.bars.close) == TRUE
    assert reasons(checked)[0] in {"jump", "scale"}


@ASSETS
def test_bad_cell_in_three_bars_is_left_out(asset: Asset):
    """D7: 2.0, 0.0001, 1.0 contains a bad cell, although the third bar is at half the price of the first."""
    assert list(read_history(bars([2.0, 0.0001, 1.0]), asset=asset).bars.close) == [2.0, 1.0]


@ASSETS
@pytest.mark.parametrize("factors", [[0.5], [0.3, 0.32], [3.0]])
def test_bars_away_and_back_that_were_traded_stay(asset: Asset, factors: list[float]):
    """D7: a spike of the volume, or a path through the prices in between, shows a real crash and a real recovery."""
    closes = inserted(*factors)
    volume = [100.0] * len(closes)
    volume[60] = 2_000.0
    spike = bars(closes, volume=volume)
    assert read_history(spike, asset=asset).bars == spike
    through = bars(traded(closes))
    assert read_history(through, asset=asset).bars == through


def test_volume_does_not_explain_every_jump():
    """D7: a high volume does not explain a bad cell, because trading never changes a price by a factor of 10,000."""
    closes = [*[10.0] * 30, 100_000.0, *[10.0] * 30]
    volume = [100.0] * 30 + [900.0] + [100.0] * 30
    checked = read_history(bars(closes, volume=volume))
    assert set(checked.bars.close) == {10.0}
    assert len(checked.bars) == 60


def test_low_of_a_bad_cell_does_not_prove_a_jump():
    """D7: the range of a bar with a wrong close is not evidence for its jump if the next bar opens right."""
    cells = [(close, close * 1.01, close * 0.99, close) for close in TRUE]
    cells[60] = (TRUE[60], TRUE[60] * 1.01, TRUE[60] * 0.2, TRUE[60] * 0.2)
    assert list(read_history(bars(cells)).bars.close) == [*TRUE[:60], *TRUE[61:]]


@pytest.mark.parametrize("closes", [[0.01, 5.0, 3.2, 2.9, 2.7, 2.5], [1.0, 0.2, 0.15, 0.16, 0.14, 0.15]])
def test_history_of_a_coin_that_begins_with_a_listing_pump_stays(closes: list[float]):
    """A new coin may rise by a factor of 500 on its first day, or fall to a fifth."""
    history = bars(closes)
    assert read_history(history, asset=COIN).bars == history


@pytest.mark.parametrize("factor", [0.2, 0.1, 0.05, 6.0, 20.0])
@pytest.mark.parametrize("newest", [True, False])
def test_crash_of_a_turbulent_day_stays_although_it_has_a_gap(factor: float, newest: bool):
    """D7: a share that opens at a tenth, with ten times its volume and a range of 20 %, has not changed its scale."""
    closes: list[Cells] = [*TRUE[:60], *(close * factor for close in TRUE[60:])]
    level = TRUE[59] * factor
    closes[60] = (level * 1.1, level * 1.15, level * 0.95, level)
    volumes = [100.0] * 60 + [1_000.0] + [250.0] * (len(TRUE) - 61)
    history = bars(closes, volume=volumes)
    history = part(history, 0, 61) if newest else history
    assert read_history(history).bars == history


@pytest.mark.parametrize("price", [0.0015, None])
@pytest.mark.parametrize("spike", [1.0, 10.0])
def test_collapse_during_a_suspension_stays_if_its_volume_is_a_spike(price: float | None, spike: float):
    """D7: SIVB (18 days, to 1/265) and SBNY fell in March 2023. A wrong unit after a hole has no such volume."""
    closes = [close * (0.0015 if place >= 40 else 1.0) for place, close in enumerate(TRUE)]
    history = bars(closes, volume=[100.0] * 40 + [100.0 * spike] + [100.0] * (len(closes) - 41))
    history = replace(history, days=array("i", (day + 14 * (place >= 40) for place, day in enumerate(history.days))))
    checked = read_history(history, price=price and closes[-1], own_price=closes[-1])
    assert (checked.bars == history) is (spike > 3)


def test_price_steps_of_a_penny_stock_are_no_jumps():
    """D7: a share at 0.0002 halves and doubles by one price step, and one at 0.0001 opens five times as high."""
    closes = [0.0002, 0.0002, 0.0001, 0.0002, 0.0003, 0.0001, 0.0001, 0.0001, 0.0006, 0.0006, 0.0007]
    history = bars([(close, close, close, close) for close in closes * 3])
    assert read_history(history).bars == history


def test_history_of_a_stock_that_begins_with_a_listing_pump_stays():
    """The first day of a listing may have any range if the price continues from its close."""
    history = bars([(0.5, 40.0, 0.4, 10.0), 10.0, 9.0, 8.0, 8.5])
    assert read_history(history).bars == history


@pytest.mark.parametrize(
    ("factor", "price", "is_kept"),
    [
        (0.45, None, True),
        (2.4, None, True),
        (0.3, None, False),
        (3.0, None, False),
        (0.3, 0.31, True),
        (0.45, 1.0, False),
    ],
)
@ASSETS
def test_newest_bar_that_jumps_needs_confirmation(asset: Asset, factor: float, price: float | None, is_kept: bool):
    """D7: a newest bar that jumps is kept up to -60 % or +150 %, and beyond that if the current price agrees."""
    stored = bars(TRUE)
    delivered = bars([*TRUE[-5:], TRUE[-1] * factor], stored.days[-5])
    known = None if price is None else TRUE[-1] * price
    checked = read_increment(delivered, stored, price=known, asset=asset)
    assert (checked.bars.days[-1] == delivered.days[-1]) is is_kept
    assert bool(checked.late) is not is_kept


def test_newest_bar_on_another_level_is_stored_if_the_asset_is_a_coin():
    """D1, D7: a coin can fall by 90 % in a day. A share may have changed its scale, so the history decides."""
    stored = bars(TRUE)
    delivered = bars([*TRUE[-5:], TRUE[-1] * 0.1], stored.days[-5])
    coin = read_increment(delivered, stored, price=TRUE[-1] * 0.1, asset=COIN)
    share = read_increment(delivered, stored, price=TRUE[-1] * 0.1)
    assert (coin.bars.days[-1], coin.doubt) == (delivered.days[-1], "")
    assert (len(share.bars), "the level changes" in share.doubt) == (0, True)


def test_newest_bar_that_jumped_is_removed_when_the_next_one_is_back():
    """D7: the next fetch recognizes a bad cell that was kept as the newest bar, and removes it from the store."""
    stored = bars([*TRUE, TRUE[-1] * 0.5])
    delivered = bars([*TRUE[-5:], TRUE[-1] * 0.5, TRUE[-1]], stored.days[-6])
    checked = read_increment(delivered, stored)
    assert list(checked.bars.close) == [*TRUE[-5:], TRUE[-1]]
    assert checked.bars.days[-1] == delivered.days[-1]


def test_newest_bar_that_was_left_out_is_stored_when_the_next_one_confirms_it():
    """D7: a real crash without confirmation on its day is stored a session later."""
    stored = bars(TRUE)
    delivered = bars([*TRUE[-5:], TRUE[-1] * 0.3, TRUE[-1] * 0.31], stored.days[-5])
    assert read_increment(delivered, stored).bars == delivered


# --- real data --------------------------------------------------------------------------------------


def adjusted(bars: Bars) -> Bars:
    """Return a history adjusted for its splits, as upstreams send it."""
    for text, ratio in SPLITS.get(bars.symbol, {}).items():
        day = day_of(text)
        columns = {
            name: array("d", (p / ratio if d < day else p for d, p in zip(bars.days, getattr(bars, name), strict=True)))
            for name in ("open", "high", "low", "close")
        }
        volume = array("d", (v * ratio if d < day else v for d, v in zip(bars.days, bars.volume, strict=True)))
        bars = replace(bars, **columns, volume=volume)
    return bars


def large_moves(bars: Bars) -> list[int]:
    """Return the places of all days on which the close fell by more than 25 % or rose by more than 35 %."""
    return [place for place in range(1, len(bars)) if not 0.75 <= bars.close[place] / bars.close[place - 1] <= 1.35]


#: Every day beyond -25 % and +35 % in the real data. Three of them are splits, which the package does not adjust.
LARGE_MOVES = {
    "AAPL": ["2000-06-21", "2000-09-29", "2005-02-28"],
    "MSFT": ["2003-02-18"],
    "vix": [
        "2015-08-24",
        "2016-06-24",
        "2016-09-09",
        "2017-05-17",
        "2017-08-10",
        "2018-02-05",
        "2018-10-10",
    ],
    "wti": ["1991-01-17"],
}


@pytest.mark.parametrize("name", [*STOCKS, *INDICES, *CLOSES])
@ASSETS
def test_real_history_is_kept_in_a_first_fetch(name: str, asset: Asset):
    """D7: decades of real bars are kept as published, and also if they are adjusted for announced splits."""
    asset = replace(asset, symbol=name)
    history = real_bars(name)
    moves = [history.days[place] for place in large_moves(history)]
    assert {day_of(text) for text in LARGE_MOVES.get(name, [])} <= {*moves}
    splits = {day_of(text): ratio for text, ratio in SPLITS.get(name, {}).items()}
    assert read_history(history, asset=asset).bars == history
    right = adjusted(history)
    assert read_history(right, splits, asset=asset).bars == right
    if splits and asset.type is STOCK.type:
        found = read_history(history, splits, asset=asset).bars
        assert list(found.close) == pytest.approx(list(right.close))
        assert list(found.volume) == pytest.approx(list(right.volume))


@pytest.mark.parametrize("name", [*STOCKS, *INDICES, *CLOSES])
def test_real_history_is_kept_day_by_day(name: str):
    """D7: every bar is stored as the newest bar of a fetch without a quote, and later fetches do not remove it."""
    history = real_bars(name)
    asset = replace(STOCK, symbol=name)
    alarms = []
    for end in range(61, len(history)):
        stored, delivered = part(history, end - 60, end), part(history, end - 10, end + 1)
        checked = read_increment(delivered, stored, asset=asset)
        if checked.bars != delivered or checked.records or checked.doubt:
            alarms.append((history.days[end], checked.records, checked.doubt))
    assert alarms == []


@pytest.mark.parametrize("name", LARGE_MOVES)
def test_real_large_move_is_kept_in_every_kind_of_fetch(name: str):
    """D7: each day beyond -25 % and +35 % is kept as the newest, an older, the first and the second bar."""
    history, asset = real_bars(name), replace(STOCK, symbol=name)
    for place in large_moves(history):
        for start, end in ((place - 40, place + 1), (place - 300, place + 3), (place - 300, place + 200)):
            answer = part(history, start, end)
            assert read_history(answer, asset=asset).bars == answer
        for start in (place - 1, place):
            answer = part(history, start, place + 60)
            assert read_history(answer, asset=asset).bars == answer


def test_real_history_without_volumes_is_kept():
    """D7: without volumes, the crash days of a real history are still kept, because the new level remains."""
    history = newest(real_bars("AAPL"), 3_200)
    silent = replace(history, volume=array("d", [0.0] * len(history)))
    assert read_history(silent, asset=replace(STOCK, symbol="AAPL")).bars == silent


def test_sessions_are_weekdays():
    """The builder of these tests yields weekdays in order."""
    assert sessions(6) == [19_005, 19_006, 19_009, 19_010, 19_011, 19_012]
