"""The failure table for quotes over HTTP: every failure mode of every upstream, with all its consequences.

Providers and Redis are real, and the upstreams are the simulator. Yahoo's cases are in `test_yahoo_failure_modes.py`.
"""

import pytest

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_simulator.faults import FAULTS, QUOTE_UPSTREAMS
from support.failure_modes import SLOW, FailureCase, check_consequences, fetch_with_fault
from support.simulator import RunningSimulator

BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin")
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
#: Upstream under test → asset, provider order.
PROVIDER_ORDERS = {
    "binance": (BTC, "binance,coingecko,kraken"),
    "coingecko": (BTC, "coingecko,kraken"),
    "kraken": (BTC, "kraken,coingecko"),
    "finnhub": (AAPL, "finnhub"),
}
WAIT = {"retry_after": 30}
JUMP = "quarantined: jump: .*"
PRICE = "quarantined: price: .*"
STALE = "quarantined: stale: .*"


def data(upstream: str, failover: str, spent: int) -> list[FailureCase]:
    """Return the cases for responses with the right shape and wrong numbers, which do not count against the breaker."""

    def case(fault: str, reason: str) -> FailureCase:
        return FailureCase(upstream, fault, reason, failover, "unaffected", spent, reason.removeprefix("quarantined: "))

    return [
        case("x100", JUMP),
        case("div100", JUMP),
        case("negative", PRICE),
        case("zero", PRICE),
        case("huge", PRICE),
    ]


def common(upstream: str, failover: str, spent: int) -> list[FailureCase]:
    """Return the cases that are the same for every upstream."""
    return [
        FailureCase(upstream, "server-error", "upstream", failover, spent=spent),
        FailureCase(upstream, "unavailable", "upstream", failover, "opened", spent, parameters={"retry_after": 5}),
        FailureCase(upstream, "html", "malformed", failover, spent=spent),
        FailureCase(upstream, "slow", "timeout", failover, spent=spent, parameters=SLOW),
        FailureCase(upstream, "cut", "upstream", failover, spent=spent),
        FailureCase(upstream, "disconnect", "upstream", failover, spent=spent),
        FailureCase(upstream, "truncated", "malformed", failover, spent=spent),
        FailureCase(upstream, "blank", "malformed", failover, spent=spent),
        FailureCase(upstream, "oversized", "malformed", failover, spent=spent),
        FailureCase(upstream, "zip-bomb", "malformed", failover, spent=spent),
    ]


CASES = [
    # Binance: weight 2 for one pair. CoinGecko is next.
    *common("binance", "coingecko", 2),
    *data("binance", "coingecko", 2),
    FailureCase("binance", "rate-limited", "rate-limited", "coingecko", "opened", 2, parameters=WAIT),
    FailureCase("binance", "rate-limited", "rate-limited", "coingecko", "counted", 2, parameters={"retry_after": None}),
    FailureCase("binance", "banned", "rate-limited", "coingecko", "opened", 2, parameters={"retry_after": 120}),
    FailureCase("binance", "forbidden", "blocked", "coingecko", "counted", 2),
    FailureCase("binance", "country", "blocked", "coingecko", "counted", 2),
    # an unknown pair: all pairs are fetched (weight 80), which identifies it
    FailureCase("binance", "missing", "not-found", "coingecko", "unaffected", 82),
    FailureCase("binance", "empty", "not-found", "coingecko", "unaffected", 2),
    FailureCase("binance", "stale", STALE, "coingecko", "unaffected", 2, "stale"),
    FailureCase("binance", "no-trade", STALE, "coingecko", "unaffected", 2, "stale"),
    FailureCase("binance", "nan", "malformed: .*lastPrice is 'NaN'.*", "coingecko", "unaffected", 2),
    FailureCase("binance", "infinity", "malformed: .*lastPrice is 'Infinity'.*", "coingecko", "unaffected", 2),
    # CoinGecko: one call per page. Kraken is next.
    *common("coingecko", "kraken", 1),
    *data("coingecko", "kraken", 1)[:-1],
    # 1e308 times the number of coins overflows to Infinity, which is not valid JSON
    FailureCase("coingecko", "huge", "malformed", "kraken"),
    FailureCase("coingecko", "rate-limited", "rate-limited", "kraken", "opened", parameters=WAIT),
    FailureCase("coingecko", "access-denied", "blocked", "kraken"),
    FailureCase("coingecko", "unauthorized", "auth", "kraken"),
    FailureCase("coingecko", "missing", "not-found", "kraken", "unaffected"),
    FailureCase("coingecko", "empty", "not-found", "kraken", "unaffected"),
    FailureCase("coingecko", "stale", STALE, "kraken", "unaffected", 1, "stale"),
    FailureCase("coingecko", "null", "malformed", "kraken", "unaffected"),
    # NaN is not valid JSON, so the whole response is refused
    FailureCase("coingecko", "nan", "malformed", "kraken"),
    FailureCase("coingecko", "infinity", "malformed", "kraken"),
    # Kraken: errors are in the body with status 200. Prices have no timestamp, so old ones are not detected.
    *common("kraken", "coingecko", 1),
    *data("kraken", "coingecko", 1),
    FailureCase("kraken", "rate-limited", "rate-limited", "coingecko", parameters=WAIT),
    FailureCase("kraken", "body-error", "upstream", "coingecko"),
    # an unknown pair: all pairs are fetched
    FailureCase("kraken", "missing", "not-found", "coingecko", "unaffected", 2),
    FailureCase("kraken", "empty", "not-found", "coingecko", "unaffected"),
    FailureCase("kraken", "no-trade", STALE, "coingecko", "unaffected", 1, "stale"),
    FailureCase("kraken", "nan", "malformed: .*c is 'nan'.*", "coingecko", "unaffected"),
    FailureCase("kraken", "infinity", "malformed: .*c is 'inf'.*", "coingecko", "unaffected"),
    FailureCase("kraken", "stale", "", "", "unaffected"),
    # Finnhub: the last provider, so the stored quote remains.
    *common("finnhub", "", 1),
    *data("finnhub", "", 1)[:3],
    # a price of zero with a timestamp does not mean an unknown symbol
    FailureCase("finnhub", "zero", PRICE, "", "unaffected", 1, "price"),
    FailureCase("finnhub", "huge", PRICE, "", "unaffected", 1, "price"),
    FailureCase("finnhub", "rate-limited", "rate-limited", "", "opened", parameters=WAIT),
    FailureCase("finnhub", "unauthorized", "auth", ""),
    FailureCase("finnhub", "forbidden", "blocked", ""),
    FailureCase("finnhub", "no-access", "not-found: .*does not include AAPL.*", "", "unaffected"),
    FailureCase("finnhub", "missing", "not-found", "", "unaffected"),
    FailureCase("finnhub", "empty", "not-found", "", "unaffected"),
    FailureCase("finnhub", "stale", STALE, "", "unaffected", 1, "stale"),
    FailureCase("finnhub", "nan", "malformed", ""),
    FailureCase("finnhub", "infinity", "malformed", ""),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_fetch_with_a_failure_has_the_expected_consequences(
    case: FailureCase, simulator: RunningSimulator, redis_url: str
):
    """The reason, next provider, breaker, budget, stored quote and quarantine are as the case expects."""
    asset, order = PROVIDER_ORDERS[case.upstream]
    check_consequences(case, await fetch_with_fault(case, asset, order, simulator, redis_url), asset)


def test_table_has_a_case_for_every_fault_of_the_simulator():
    """Every failure mode of these upstreams has a case."""
    known = {
        (upstream, name) for name, spec in FAULTS.items() for upstream in spec.upstreams if upstream in PROVIDER_ORDERS
    }
    assert known == {(case.upstream, case.fault) for case in CASES}


def test_table_covers_every_upstream_with_quotes_except_yahoo():
    """A new upstream with quotes must have cases here. Yahoo has its own table."""
    assert PROVIDER_ORDERS.keys() == {*QUOTE_UPSTREAMS} - {"yahoo"}
