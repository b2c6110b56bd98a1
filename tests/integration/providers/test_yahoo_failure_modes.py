"""The failure table of Yahoo's quotes: every failure mode through the real client, and all that comes of it."""

from collections.abc import Iterator

import pytest

from financehub_shared.core.models import Asset, AssetType
from financehub_simulator.faults import FAULTS
from financehub_simulator.testing import RunningSimulator
from support.failure_modes import SLOW, Row, check, run

CHAIN = "yahoo,finnhub"
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
#: Quoted in pence; Finnhub does not serve it, so nobody is next.
OCDO = Asset("OCDO.L", AssetType.STOCK, "Ocado Group", currency="GBP")


def yahoo(fault: str, reason: str, breaker: str = "counts", quarantine: str = "", **parameters: object) -> Row:
    return Row("yahoo", fault, reason, "finnhub", breaker, 1, quarantine, parameters)


ROWS = [
    # the upstream's health: the breaker counts
    yahoo("rate-limited", "rate-limited", "opens", retry_after=30),
    yahoo("rate-limited", "rate-limited", retry_after=None),
    yahoo("invalid-crumb", "auth"),
    yahoo("server-error", "upstream"),
    yahoo("unavailable", "upstream", "opens", retry_after=5),
    yahoo("html", "malformed"),
    yahoo("will-be-right-back", "upstream"),
    yahoo("slow", "timeout", **SLOW),
    yahoo("cut", "upstream"),
    yahoo("disconnect", "upstream"),
    yahoo("truncated", "malformed"),
    yahoo("blank", "malformed"),
    yahoo("oversized", "malformed"),
    yahoo("zip-bomb", "malformed"),
    yahoo("nan", "malformed"),
    yahoo("infinity", "malformed"),
    # the upstream is well: the symbol is unknown, or one value is none
    yahoo("empty", "not-found", "well"),
    yahoo("missing", "not-found", "well"),
    yahoo("null", "malformed", "well"),
    # right in shape, wrong in content: quarantined with the reason, never stored as good
    yahoo("stale", "quarantined: stale: .*", "well", "stale: made"),
    yahoo("negative", "quarantined: price: .*", "well", "price: -"),
    yahoo("zero", "quarantined: price: .*", "well", "price: 0"),
    yahoo("huge", "quarantined: price: .*", "well", "price: 1.000E\\+308"),
    yahoo("x100", "quarantined: jump: .*", "well", "jump: ×100, \\+"),
    yahoo("div100", "quarantined: jump: .*", "well", "jump: ÷100, -"),
    yahoo("wrong-unit", "quarantined: currency: .*", "well", "currency: GBP instead of USD"),
]
#: Of a stock that is quoted in pence.
PENCE_ROWS = [
    # pence for pounds, or a stored price that was wrong: nobody can tell
    Row("yahoo", "x100", "quarantined: jump: .*", "", "well", quarantine="jump: ×100"),
    Row("yahoo", "wrong-unit", "quarantined: jump: .*", "", "well", quarantine="jump: ×100"),
    Row("yahoo", "div100", "quarantined: jump: .*", "", "well", quarantine="jump: ÷100"),
    # nobody else has it: what was stored stays
    Row("yahoo", "server-error", "upstream", "", "counts"),
]


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator(limited=False) as simulator:
        yield simulator


@pytest.fixture
def sim(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_each_failure_of_yahoo_has_its_class_failover_breaker_budget_and_record(
    row: Row, sim: RunningSimulator, redis_url: str
):
    """A failing Yahoo is told apart by class, costs one unit, and Finnhub delivers; the record says why."""
    check(row, await run(row, AAPL, CHAIN, sim, redis_url), AAPL)


@pytest.mark.parametrize("row", PENCE_ROWS, ids=lambda row: row.id)
async def test_each_failure_of_a_stock_quoted_in_pence(row: Row, sim: RunningSimulator, redis_url: str):
    """A price in the wrong unit is quarantined, and with no second provider what was stored stays."""
    check(row, await run(row, OCDO, CHAIN, sim, redis_url), OCDO)


def test_the_table_is_complete():
    """Every fault the simulator knows of Yahoo has a row."""
    assert {row.fault for row in ROWS} == {name for name, spec in FAULTS.items() if "yahoo" in spec.upstreams}
