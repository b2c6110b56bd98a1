"""Tests of the decision table in docs/data-quality.md, row by row."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality, QuoteEvidence
from support.quote_world import Answer, QuoteWorld, Script, is_down, says

PAGE = (Path(__file__).parents[5] / "docs/data-quality.md").read_text(encoding="utf-8")
#: Row of the table → decision.
ROWS = dict(re.findall(r"^\| (Q\d+) \|[^|]*\|[^|]*\| (\w+) \|", PAGE, re.MULTILINE))

#: A Wednesday, 15:00 UTC.
NOW = datetime(2026, 2, 18, 15, tzinfo=UTC).timestamp()
DAY = 24 * 60
COIN = Asset("LUNA-USD", AssetType.CRYPTO)
SHARE = Asset("ACME", AssetType.STOCK)
LONDON = Asset("OCDO.L", AssetType.STOCK, currency="GBP")

Scenario = Callable[[], QuoteWorld]
SCENARIOS: dict[str, Scenario] = {}
#: Row → price that is stored after its scenario.
PRICES: dict[str, str | None] = {}


def row(name: str, price: str | None) -> Callable[[Scenario], Scenario]:
    """Register the scenario of a row and the price that is stored after it."""

    def register(scenario: Scenario) -> Scenario:
        SCENARIOS[name], PRICES[name] = scenario, price
        return scenario

    return register


def world(asset: Asset, **scripts: Script) -> QuoteWorld:
    """Return a world without a stored quote."""
    return QuoteWorld(asset, scripts, NOW)


def then(before: QuoteWorld, minutes: float = 2, **scripts: Script) -> QuoteWorld:
    """Run the task again after a pause, with other answers."""
    before.scripts.update(scripts)
    before.poll(minutes)
    return before


def stored_as(asset: Asset, price: str, **scripts: Script) -> QuoteWorld:
    """Return a world in which the price is stored as good, because the first provider said so."""
    before = world(asset, **{name: says(price) if name == next(iter(scripts)) else is_down for name in scripts})
    before.poll()
    return before


def evidence(close: str | None = None, low: str | None = None, high: str | None = None, **more: str) -> QuoteEvidence:
    """Return evidence with these prices."""
    prices = {"previous_close": close, "low": low, "high": high, **more}
    return QuoteEvidence(**{name: Decimal(price) for name, price in prices.items() if price is not None})


def session(price: str, **answer: object) -> Script:
    """Return the script of a stock that trades on weekdays from 14:30 to 21:00 UTC."""

    def script(_symbol: str, now: float) -> Answer:
        day = int(now // 86_400)
        while (day + 3) % 7 > 4 or now < day * 86_400 + 14.5 * 3_600:
            day -= 1
        return Answer(price, at=min(now, day * 86_400 + 21 * 3_600), **answer)  # type: ignore[arg-type]

    return script


@row("Q1", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("-1"))


@row("Q2", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("1", currency="EUR"))


@row("Q3", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("1", at=NOW + 3_600))


@row("Q4", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("1", at=NOW - 3_700))


@row("Q5", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("1", evidence=QuoteEvidence(trades=0)))


@row("Q6", "3.088")
def _() -> QuoteWorld:
    return then(world(LONDON, yahoo=says("308.8", currency="GBp")))


@row("Q7", "1")
def _() -> QuoteWorld:
    return then(world(COIN, binance=says("1", volume=Decimal(-1))))


@row("Q8", "1")
def _() -> QuoteWorld:
    return then(world(COIN, binance=says("1", evidence=evidence("0.9", "0.8", "1.1"))))


@row("Q9", None)
def _() -> QuoteWorld:
    return then(world(LONDON, yahoo=says("308.8", evidence=evidence("3.15", "3.08", "3.16"))))


@row("Q10", "0.61")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("0.61"))


@row("Q11", "0.3")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("0.3", evidence=evidence("2", "0.29", "1.9")))


@row("Q12", "30")
def _() -> QuoteWorld:
    before = then(world(SHARE, yahoo=session("100")))
    return then(before, DAY, yahoo=session("30", evidence=evidence("101", "28", "35")))


@row("Q13", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("0.01", evidence=evidence("1", "0.01", "1.1")))


@row("Q14", "0.3")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down, kraken=is_down), binance=says("0.3"), kraken=says("0.33"))


@row("Q15", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down, kraken=is_down), binance=says("100"), kraken=says("101"))


@row("Q16", "107")
def _() -> QuoteWorld:
    before = then(world(SHARE, yahoo=session("1.02")))
    return then(before, DAY, yahoo=session("107", evidence=evidence("153", "100", "155")))


@row("Q17", "3.15")
def _() -> QuoteWorld:
    before = then(world(LONDON, yahoo=session("3.15")))
    return then(before, DAY, yahoo=session("309", evidence=evidence("315", "308", "316")))


@row("Q18", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says("0.4"))


@row("Q19", "0.4")
def _() -> QuoteWorld:
    before = then(stored_as(COIN, "1", binance=is_down), binance=says("0.4"))
    return then(before, 30)


@row("Q20", "1")
def _() -> QuoteWorld:
    others = {"kraken": says("1"), "coingecko": says("1.01")}
    before = stored_as(COIN, "1", binance=is_down, kraken=is_down, coingecko=is_down)
    for _ in range(40):
        then(before, 2, binance=says("7"), **others)
    return before


@row("Q21", "0.14")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "0.14", binance=is_down, kraken=is_down), binance=is_down, kraken=says("0.00006"))


@row("Q22", "0.14")
def _() -> QuoteWorld:
    before = SCENARIOS["Q21"]()
    then(before, 30)
    assert before.stored is not None
    assert before.stored.price == Decimal("0.00006")
    return then(before, 2, binance=says("0.14"))


@row("Q23", "0.00006")
def _() -> QuoteWorld:
    before = stored_as(COIN, "0.00006", kraken=is_down)
    before.scripts = {"binance": says("0.14"), "kraken": says("0.00006")}
    return then(before)


@row("Q24", "0.4")
def _() -> QuoteWorld:
    before = then(SCENARIOS["Q19"](), kraken=is_down)
    return then(before, 10, kraken=says("0.41"))


@row("Q25", "0.4")
def _() -> QuoteWorld:
    before = SCENARIOS["Q19"]()
    for _ in range(24):
        then(before, 60)
    return before


@row("Q26", "0.4")
def _() -> QuoteWorld:
    return then(SCENARIOS["Q19"](), 10, kraken=says("1"))


@row("Q27", "96000")
def _() -> QuoteWorld:
    before = stored_as(COIN, "1", **{"simulated/binance": is_down})
    before.scripts = {"binance": says("96000")}
    return then(before)


@row("Q28", "1")
def _() -> QuoteWorld:
    before = stored_as(COIN, "7", binance=is_down, kraken=is_down, coingecko=is_down)
    for _ in range(2):
        then(before, 30, binance=says("7"), kraken=says("1"), coingecko=says("1"))
    return before


@row("Q29", "1")
def _() -> QuoteWorld:
    return then(stored_as(COIN, "1", binance=is_down), binance=says(None))


def test_every_row_of_the_table_has_a_scenario():
    """The table and the scenarios have the same rows."""
    assert list(ROWS) == [f"Q{number}" for number in range(1, len(ROWS) + 1)]
    assert ROWS.keys() == SCENARIOS.keys()


@pytest.mark.parametrize("name", SCENARIOS)
def test_decision_is_as_the_table_says(name: str):
    """D2, D4, D5, D10: Each row ends in its decision: the quality of the stored quote, or a new quarantine record.

    A rejected quote leaves the stored price as it is, and a quote that is not good says why.
    """
    end = SCENARIOS[name]()
    stored, now = end.stored, end.clock.now()
    is_stored = stored is not None and stored.fetched_at == now
    rejected = [record for record in end.store.quarantined() if record.at == now]
    decision = str(stored.quality) if stored is not None and is_stored else "quarantined"
    assert decision == ROWS[name], (stored, rejected)
    assert (None if stored is None else str(stored.price)) == PRICES[name]
    assert is_stored or rejected
    assert stored is None or stored.quality is Quality.GOOD or stored.note
