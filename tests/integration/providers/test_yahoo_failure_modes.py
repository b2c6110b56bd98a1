"""The failure table for Yahoo's quotes: every failure mode through the real client, with all its consequences."""

import pytest

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_simulator.faults import FAULTS
from support.failure_modes import SLOW, FailureCase, check_consequences, fetch_with_fault
from support.simulator import RunningSimulator

CHAIN = "yahoo,finnhub"
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
#: Quoted in pence. Finnhub does not serve it, so there is no other provider.
OCDO = Asset("OCDO.L", AssetType.STOCK, "Ocado Group", currency="GBP")


def yahoo(fault: str, reason: str, breaker: str = "counted", quarantine: str = "", **parameters: object) -> FailureCase:
    return FailureCase("yahoo", fault, reason, "finnhub", breaker, 1, quarantine, parameters)


CASES = [
    # the upstream is unhealthy: the breaker counts
    yahoo("rate-limited", "rate-limited", "opened", retry_after=30),
    yahoo("rate-limited", "rate-limited", retry_after=None),
    yahoo("invalid-crumb", "auth"),
    yahoo("server-error", "upstream"),
    yahoo("unavailable", "upstream", "opened", retry_after=5),
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
    yahoo("empty", "not-found", "unaffected"),
    yahoo("missing", "not-found", "unaffected"),
    yahoo("null", "malformed", "unaffected"),
    # the shape is right but the content is wrong: quarantined with the reason
    yahoo("stale", "quarantined: stale: .*", "unaffected", "stale: .* older than the stored quote"),
    yahoo("negative", "quarantined: price: .*", "unaffected", "price: -"),
    yahoo("zero", "quarantined: price: .*", "unaffected", "price: 0"),
    yahoo("huge", "quarantined: price: .*", "unaffected", "price: 1.000E\\+308"),
    yahoo("x100", "quarantined: jump: .*", "unaffected", "jump: \\+"),
    yahoo("div100", "quarantined: jump: .*", "unaffected", "jump: -"),
    yahoo("wrong-unit", "quarantined: currency: .*", "unaffected", "currency: GBP instead of USD"),
]
#: Cases for a stock that is quoted in pence.
PENCE_CASES = [
    # pence instead of pounds, or a wrong stored price: both are possible
    FailureCase("yahoo", "x100", "quarantined: jump: .*", "", "unaffected", quarantine="jump: \\+"),
    FailureCase("yahoo", "wrong-unit", "quarantined: jump: .*", "", "unaffected", quarantine="jump: \\+"),
    FailureCase("yahoo", "div100", "quarantined: jump: .*", "", "unaffected", quarantine="jump: -"),
    # no other provider: the stored quote remains
    FailureCase("yahoo", "server-error", "upstream", "", "counted"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_fetch_with_a_failure_has_the_expected_consequences(
    case: FailureCase, simulator: RunningSimulator, redis_url: str
):
    """A Yahoo failure raises its error, costs one unit and leaves its reason in the record, and Finnhub delivers."""
    check_consequences(case, await fetch_with_fault(case, AAPL, CHAIN, simulator, redis_url), AAPL)


@pytest.mark.parametrize("case", PENCE_CASES, ids=lambda case: case.id)
async def test_fetch_of_a_stock_in_pence_has_the_expected_consequences(
    case: FailureCase, simulator: RunningSimulator, redis_url: str
):
    """A price in the wrong unit is quarantined. Without a second provider, the stored quote remains."""
    check_consequences(case, await fetch_with_fault(case, OCDO, CHAIN, simulator, redis_url), OCDO)


def test_table_has_a_case_for_every_fault_of_yahoo():
    """Every Yahoo failure mode of the simulator has a case."""
    assert {case.fault for case in CASES} == {name for name, spec in FAULTS.items() if "yahoo" in spec.upstreams}
