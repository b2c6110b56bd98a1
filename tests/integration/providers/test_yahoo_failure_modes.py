"""The failure table of Yahoo's quotes: every failure mode through the real client, and all of its consequences."""

from collections.abc import Iterator

import pytest

from financehub_shared.core.models import Asset, AssetType
from financehub_simulator.faults import FAULTS
from support.failure_modes import SLOW, Row, check, run
from support.simulator import RunningSimulator

CHAIN = "yahoo,finnhub"
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
#: Quoted in pence. Finnhub does not serve it, so there is no other provider.
OCDO = Asset("OCDO.L", AssetType.STOCK, "Ocado Group", currency="GBP")


def yahoo(fault: str, reason: str, breaker: str = "counts", quarantine: str = "", **parameters: object) -> Row:
    return Row("yahoo", fault, reason, "finnhub", breaker, 1, quarantine, parameters)


ROWS = [
    # the upstream is unhealthy: the breaker counts
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
    # the upstream is healthy: the symbol is unknown, or one value is missing
    yahoo("empty", "not-found", "well"),
    yahoo("missing", "not-found", "well"),
    yahoo("null", "malformed", "well"),
    # the shape is right and the content wrong: quarantined with the reason
    yahoo("stale", "quarantined: stale: .*", "well", "stale: .* older than the stored quote"),
    yahoo("negative", "quarantined: price: .*", "well", "price: -"),
    yahoo("zero", "quarantined: price: .*", "well", "price: 0"),
    yahoo("huge", "quarantined: price: .*", "well", "price: 1.000E\\+308"),
    yahoo("x100", "quarantined: jump: .*", "well", "jump: ×100, \\+"),
    yahoo("div100", "quarantined: jump: .*", "well", "jump: ÷100, -"),
    yahoo("wrong-unit", "quarantined: currency: .*", "well", "currency: GBP instead of USD"),
]
#: Rows of a stock that is quoted in pence.
PENCE_ROWS = [
    # pence instead of pounds, or a wrong stored price: both are possible
    Row("yahoo", "x100", "quarantined: jump: .*", "", "well", quarantine="jump: ×100"),
    Row("yahoo", "wrong-unit", "quarantined: jump: .*", "", "well", quarantine="jump: ×100"),
    Row("yahoo", "div100", "quarantined: jump: .*", "", "well", quarantine="jump: ÷100"),
    # no other provider: the stored quote stays
    Row("yahoo", "server-error", "upstream", "", "counts"),
]


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator(enforce_rate_limits=False) as simulator:
        yield simulator


@pytest.fixture
def sim(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_fetch_with_a_failure_has_the_expected_consequences(row: Row, sim: RunningSimulator, redis_url: str):
    """A failure of Yahoo has its error, costs one unit and leaves its reason in the record, and Finnhub delivers."""
    check(row, await run(row, AAPL, CHAIN, sim, redis_url), AAPL)


@pytest.mark.parametrize("row", PENCE_ROWS, ids=lambda row: row.id)
async def test_fetch_of_a_stock_in_pence_has_the_expected_consequences(row: Row, sim: RunningSimulator, redis_url: str):
    """A price in the wrong unit is quarantined. Without a second provider the stored quote stays."""
    check(row, await run(row, OCDO, CHAIN, sim, redis_url), OCDO)


def test_table_has_a_row_for_every_fault_of_yahoo():
    """No failure mode of Yahoo in the simulator is without a row."""
    assert {row.fault for row in ROWS} == {name for name, spec in FAULTS.items() if "yahoo" in spec.upstreams}
