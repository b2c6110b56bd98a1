"""Tests of price histories after whole days of the price task, with the decisions that it really takes."""

from decimal import Decimal
from itertools import pairwise

import pytest

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality, QuoteEvidence
from support.market_data import bars
from support.quote_world import Answer, QuoteWorld, Script, is_down, says

#: 15:00 UTC on a Tuesday, within the session of US exchanges.
START = 1_799_766_000.0
COIN = Asset("BTC-USD", AssetType.CRYPTO)
STOCK = Asset("AAPL", AssetType.STOCK)


def prices_of(world: QuoteWorld) -> list[float]:
    """Return the prices of the whole history."""
    now = world.clock.now()
    history = world.store.history(world.asset.symbol, now - 30 * DAY_SECONDS, now + 1)
    return [point.price for point in history.points]


def during(start: float, end: float, wrong: str, right: str = "100") -> Script:
    """Return a script that says a wrong price between two minutes after `START`, and otherwise the right one."""
    return lambda _symbol, now: Answer(wrong if start <= (now - START) / 60 < end else right)


@pytest.mark.parametrize(
    "scripts",
    [
        pytest.param({"binance": during(20, 80, "10")}, id="the only provider"),
        pytest.param({"binance": during(20, 80, "10"), "kraken": is_down}, id="the second one is down"),
        pytest.param({"binance": during(20, 80, "10"), "kraken": says("100")}, id="the second one is right"),
        pytest.param({"binance": is_down, "kraken": during(20, 80, "1000")}, id="a fallback"),
    ],
)
def test_history_after_an_hour_of_wrong_prices_has_no_spike(scripts: dict[str, Script]):
    """H1: a wrong price that was shown as unconfirmed is refuted by the right one, however the dispute ended."""
    world = QuoteWorld(COIN, scripts, START)
    shown = set()
    for _ in range(120):
        world.poll(2)
        assert world.stored is not None
        shown.add(world.stored.price)
    assert world.stored is not None
    assert world.stored.quality is Quality.GOOD or "kraken" in scripts
    assert set(prices_of(world)) == {100.0}
    if len(scripts) == 1:
        assert Decimal(10) in shown


def test_history_after_a_crash_that_others_confirm_has_both_levels():
    """H2, H5: a real fall of 60 % stays from its first price on."""
    world = QuoteWorld(COIN, dict.fromkeys(("binance", "kraken"), during(60, 1e9, "40")), START)
    for _ in range(60):
        world.poll(2)
    prices = prices_of(world)
    assert prices.index(40.0) == 29
    assert prices == [100.0] * 29 + [40.0] * 31


def test_history_after_a_crash_that_only_time_confirms_has_both_levels():
    """H2: the prices that were unconfirmed for a day are normal ones when the level is good."""
    world = QuoteWorld(COIN, {"binance": during(60, 1e9, "40")}, START)
    for _ in range(130):
        world.poll(15)
    assert world.stored is not None
    assert world.stored.quality is Quality.GOOD
    steps = [step for step in pairwise(prices_of(world)) if step[0] != step[1]]
    assert steps == [(100.0, 40.0)]
    history = world.store.history("BTC-USD", 0, world.clock.now() + 1)
    assert not any(point.unconfirmed for point in history.points)


def test_history_over_a_split_has_no_jump_as_soon_as_the_bars_are_read():
    """H4: the quotes are unconfirmed on the day of the split, and the bars are adjusted when they are read again."""

    def script(_symbol: str, now: float) -> Answer:
        price = 400 if now < START + DAY_SECONDS / 2 else 100
        evidence = QuoteEvidence(previous_close=Decimal(price), low=Decimal(price), high=Decimal(price))
        return Answer(price, evidence, at=now)

    world = QuoteWorld(STOCK, {"yahoo": script}, START)
    for _ in range(12):
        world.poll(5)
    world.clock.advance(DAY_SECONDS)
    for _ in range(12):
        world.poll(5)
    assert world.stored is not None
    assert (world.stored.price, world.stored.quality) == (100, Quality.UNCONFIRMED)
    day = int(START // DAY_SECONDS)
    level = -day / 1_000 - 0.25
    world.store.put_bars([bars("AAPL", range(day - 5, day + 1), 400 + level)])
    assert set(prices_of(world)) == {400.0, 100.0}
    world.store.put_bars([bars("AAPL", range(day - 5, day + 1), 100 + level)])
    assert set(prices_of(world)) == {100.0}


def test_history_after_the_correction_of_a_unit_has_no_jump():
    """H6: a first provider that means pence is outvoted after a while, and the earlier prices are in pounds then."""
    scripts: dict[str, Script] = {"yahoo": says("8400"), "finnhub": is_down}
    world = QuoteWorld(Asset("VOD.L", AssetType.STOCK, currency="GBP"), scripts, START)
    for _ in range(6):
        world.poll(5)
    assert set(prices_of(world)) == {8400.0}
    world.scripts = {"yahoo": says("84"), "finnhub": says("84.5")}
    for _ in range(400):
        world.poll(5)
    assert world.stored is not None
    assert world.stored.price in {Decimal(84), Decimal("84.5")}
    assert max(prices_of(world)) < 90
