"""The failure table of quotes over HTTP: every failure mode of every upstream, and all of its consequences.

Providers and Redis are real, and the upstreams are the simulator. Yahoo's rows are in `test_yahoo_failure_modes.py`.
"""

from collections.abc import Iterator

import pytest

from financehub_shared.core.models import Asset, AssetType
from financehub_simulator.faults import FAULTS
from support.failure_modes import SLOW, Row, check, run
from support.simulator import RunningSimulator

BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin")
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
#: Upstream under test → asset, provider order.
CHAINS = {
    "binance": (BTC, "binance,coingecko,kraken"),
    "coingecko": (BTC, "coingecko,kraken"),
    "kraken": (BTC, "kraken,coingecko"),
    "finnhub": (AAPL, "finnhub"),
}
WAIT = {"retry_after": 30}
JUMP = "quarantined: jump: .*"
PRICE = "quarantined: price: .*"
STALE = "quarantined: stale: .*"


def data(upstream: str, then: str, spent: int) -> list[Row]:
    """Return the row of an answer with the right shape and wrong figures, which does not count against the breaker."""

    def row(fault: str, reason: str) -> Row:
        return Row(upstream, fault, reason, then, "well", spent, reason.removeprefix("quarantined: "))

    return [
        row("x100", JUMP),
        row("div100", JUMP),
        row("negative", PRICE),
        row("zero", PRICE),
        row("huge", PRICE),
    ]


def common(upstream: str, then: str, spent: int) -> list[Row]:
    """Return the rows that are the same for every upstream."""
    return [
        Row(upstream, "server-error", "upstream", then, spent=spent),
        Row(upstream, "unavailable", "upstream", then, "opens", spent, parameters={"retry_after": 5}),
        Row(upstream, "html", "malformed", then, spent=spent),
        Row(upstream, "slow", "timeout", then, spent=spent, parameters=SLOW),
        Row(upstream, "cut", "upstream", then, spent=spent),
        Row(upstream, "disconnect", "upstream", then, spent=spent),
        Row(upstream, "truncated", "malformed", then, spent=spent),
        Row(upstream, "blank", "malformed", then, spent=spent),
        Row(upstream, "oversized", "malformed", then, spent=spent),
        Row(upstream, "zip-bomb", "malformed", then, spent=spent),
    ]


ROWS = [
    # Binance: weight 2 for one pair; next is CoinGecko
    *common("binance", "coingecko", 2),
    *data("binance", "coingecko", 2),
    Row("binance", "rate-limited", "rate-limited", "coingecko", "opens", 2, parameters=WAIT),
    Row("binance", "rate-limited", "rate-limited", "coingecko", "counts", 2, parameters={"retry_after": None}),
    Row("binance", "banned", "rate-limited", "coingecko", "opens", 2, parameters={"retry_after": 120}),
    Row("binance", "forbidden", "blocked", "coingecko", "counts", 2),
    Row("binance", "country", "blocked", "coingecko", "counts", 2),
    # an unknown pair: all pairs are fetched (weight 80), which identifies it
    Row("binance", "missing", "not-found", "coingecko", "well", 82),
    Row("binance", "empty", "not-found", "coingecko", "well", 2),
    Row("binance", "stale", STALE, "coingecko", "well", 2, "stale"),
    Row("binance", "nan", PRICE, "coingecko", "well", 2, "price"),
    Row("binance", "infinity", PRICE, "coingecko", "well", 2, "price"),
    # CoinGecko: one call per page; next is Kraken
    *common("coingecko", "kraken", 1),
    *data("coingecko", "kraken", 1)[:-1],
    # 1e308 times the number of coins overflows to Infinity, which is not valid JSON
    Row("coingecko", "huge", "malformed", "kraken"),
    Row("coingecko", "rate-limited", "rate-limited", "kraken", "opens", parameters=WAIT),
    Row("coingecko", "access-denied", "blocked", "kraken"),
    Row("coingecko", "unauthorized", "auth", "kraken"),
    Row("coingecko", "missing", "not-found", "kraken", "well"),
    Row("coingecko", "empty", "not-found", "kraken", "well"),
    Row("coingecko", "stale", STALE, "kraken", "well", 1, "stale"),
    Row("coingecko", "null", "malformed", "kraken", "well"),
    # NaN is not valid JSON, so the whole answer is refused
    Row("coingecko", "nan", "malformed", "kraken"),
    Row("coingecko", "infinity", "malformed", "kraken"),
    # Kraken: errors in the body with status 200; prices have no time, so old ones are not noticed
    *common("kraken", "coingecko", 1),
    *data("kraken", "coingecko", 1),
    Row("kraken", "rate-limited", "rate-limited", "coingecko", parameters=WAIT),
    Row("kraken", "body-error", "upstream", "coingecko"),
    # an unknown pair: all pairs are fetched
    Row("kraken", "missing", "not-found", "coingecko", "well", 2),
    Row("kraken", "empty", "not-found", "coingecko", "well"),
    Row("kraken", "nan", PRICE, "coingecko", "well", 1, "price"),
    Row("kraken", "infinity", PRICE, "coingecko", "well", 1, "price"),
    Row("kraken", "stale", "", "", "well"),
    # Finnhub: the last provider, so the stored quote stays
    *common("finnhub", "", 1),
    *data("finnhub", "", 1)[:3],
    # a price of zero with a time is not an unknown symbol
    Row("finnhub", "zero", PRICE, "", "well", 1, "price"),
    Row("finnhub", "huge", PRICE, "", "well", 1, "price"),
    Row("finnhub", "rate-limited", "rate-limited", "", "opens", parameters=WAIT),
    Row("finnhub", "unauthorized", "auth", ""),
    Row("finnhub", "forbidden", "blocked", ""),
    Row("finnhub", "missing", "not-found", "", "well"),
    Row("finnhub", "empty", "not-found", "", "well"),
    Row("finnhub", "stale", STALE, "", "well", 1, "stale"),
    Row("finnhub", "nan", "malformed", ""),
    Row("finnhub", "infinity", "malformed", ""),
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    """Start one simulator for the module, without rate limits."""
    with RunningSimulator(enforce_rate_limits=False) as running:
        yield running


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_fetch_with_a_failure_has_the_expected_consequences(
    row: Row, simulator: RunningSimulator, redis_url: str
):
    """Reason, next provider, breaker, budget, stored quote and quarantine are those of the row."""
    simulator.reset()
    asset, chain = CHAINS[row.upstream]
    check(row, await run(row, asset, chain, simulator, redis_url), asset)


def test_table_has_a_row_for_every_fault_of_the_simulator():
    """No failure mode of these upstreams is without a row."""
    known = {(upstream, name) for name, spec in FAULTS.items() for upstream in spec.upstreams if upstream in CHAINS}
    assert known == {(row.upstream, row.fault) for row in ROWS}
