"""The failure table: every failure mode of every HTTP upstream of quotes, and all that comes of it.

Real adapters and Redis; the upstreams are the simulator. Yahoo's rows are in `test_yahoo_failure_modes.py`.
"""

from collections.abc import Iterator

import pytest

from financehub_shared.core.models import Asset, AssetType
from financehub_simulator.faults import FAULTS
from financehub_simulator.testing import RunningSimulator
from support.failure_modes import SLOW, Row, check, run

BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin")
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
#: Upstream under test → asset, chain.
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
    """Right-shaped answers with wrong figures: for the validation, so the upstream counts as well."""

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
    """What happens alike at every upstream."""
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
    # an unknown pair: everything is asked for once more (weight 80), which says which one it is
    Row("binance", "missing", "not-found", "coingecko", "well", 82),
    Row("binance", "empty", "not-found", "coingecko", "well", 2),
    Row("binance", "stale", STALE, "coingecko", "well", 2, "stale"),
    Row("binance", "nan", PRICE, "coingecko", "well", 2, "price"),
    Row("binance", "infinity", PRICE, "coingecko", "well", 2, "price"),
    # CoinGecko: one call a page; next is Kraken
    *common("coingecko", "kraken", 1),
    *data("coingecko", "kraken", 1)[:-1],
    # 1e308 times the number of coins overflows to Infinity, which is no JSON
    Row("coingecko", "huge", "malformed", "kraken"),
    Row("coingecko", "rate-limited", "rate-limited", "kraken", "opens", parameters=WAIT),
    Row("coingecko", "access-denied", "blocked", "kraken"),
    Row("coingecko", "unauthorized", "auth", "kraken"),
    Row("coingecko", "missing", "not-found", "kraken", "well"),
    Row("coingecko", "empty", "not-found", "kraken", "well"),
    Row("coingecko", "stale", STALE, "kraken", "well", 1, "stale"),
    Row("coingecko", "null", "malformed", "kraken", "well"),
    # NaN is no JSON, so the whole answer is refused
    Row("coingecko", "nan", "malformed", "kraken"),
    Row("coingecko", "infinity", "malformed", "kraken"),
    # Kraken: errors in the body at 200; no time of the price, so an old one cannot be told by its age
    *common("kraken", "coingecko", 1),
    *data("kraken", "coingecko", 1),
    Row("kraken", "rate-limited", "rate-limited", "coingecko", parameters=WAIT),
    Row("kraken", "body-error", "upstream", "coingecko"),
    # an unknown pair: everything is asked for once more
    Row("kraken", "missing", "not-found", "coingecko", "well", 2),
    Row("kraken", "empty", "not-found", "coingecko", "well"),
    Row("kraken", "nan", PRICE, "coingecko", "well", 1, "price"),
    Row("kraken", "infinity", PRICE, "coingecko", "well", 1, "price"),
    Row("kraken", "stale", "", "", "well"),
    # Finnhub: the last of its chain, so what was stored stays
    *common("finnhub", "", 1),
    *data("finnhub", "", 1)[:3],
    # a price of zero with a time is no unknown symbol
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
    """One simulator for the module, without limits of its own."""
    with RunningSimulator(limited=False) as running:
        yield running


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_failure_mode(row: Row, simulator: RunningSimulator, redis_url: str):
    """The reason, who delivers instead, breaker, budget, stored quote and quarantine are what the row says."""
    simulator.reset()
    asset, chain = CHAINS[row.upstream]
    check(row, await run(row, asset, chain, simulator, redis_url), asset)


def test_the_table_has_every_fault_the_simulator_knows():
    """No failure mode of these upstreams is without a row."""
    known = {(upstream, name) for name, spec in FAULTS.items() for upstream in spec.upstreams if upstream in CHAINS}
    assert known == {(row.upstream, row.fault) for row in ROWS}
