"""Tests of the filters and the order of `quotes` (C10)."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from support.market_data import quote


@pytest.fixture
def quoted(store: RedisStore) -> None:
    """A coin and two stocks with a price, of which one is stale."""
    now = time.time()
    store.put_assets([Asset("MSFT", AssetType.STOCK)])
    store.put_quotes(
        [
            quote("BTC-USD", "65000", now - 10, change_percent=Decimal(-2)),
            quote("AAPL", "245", now - 3_600, change_percent=Decimal(1)),
            quote("MSFT", "1000", now - 20, change_percent=None),
        ]
    )


@pytest.mark.parametrize(
    ("arguments", "symbols"),
    [
        ([], ["AAPL", "BTC-USD", "MSFT"]),
        (["--type", "crypto"], ["BTC-USD"]),
        (["--type", "stock"], ["AAPL", "MSFT"]),
        (["--stale"], ["AAPL"]),
        (["--stale", "--type", "crypto"], []),
        (["--sort", "price"], ["AAPL", "MSFT", "BTC-USD"]),
        (["--sort", "-price"], ["BTC-USD", "MSFT", "AAPL"]),
        (["--sort", "change_percent"], ["BTC-USD", "AAPL", "MSFT"]),
        (["--sort", "-change_percent", "--type", "stock"], ["AAPL", "MSFT"]),
        (["--sort", "age_seconds"], ["BTC-USD", "MSFT", "AAPL"]),
        (["AAPL", "BTC-USD", "--type", "stock"], ["AAPL"]),
    ],
)
@pytest.mark.usefixtures("quoted")
def test_quotes_are_filtered_and_sorted(cli: Any, invoke: Any, arguments: list[str], symbols: list[str]) -> None:
    """Filters and orders combine. Numbers are sorted as numbers, records without a value come last."""
    assert [row["symbol"] for row in cli("quotes", *arguments)] == symbols
    lines = invoke("quotes", *arguments).stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == symbols


@pytest.mark.usefixtures("quoted")
def test_quotes_note_what_the_filters_leave_out(invoke: Any) -> None:
    """A named symbol of another type is noted, and an empty list of stale prices is good news."""
    named = invoke("quotes", "AAPL", "BTC-USD", "--type", "stock")
    assert (named.exit_code, named.stderr) == (0, "financehub: of another type: BTC-USD\n")
    fresh = invoke("quotes", "--stale", "--type", "crypto", "--json")
    assert (fresh.exit_code, json.loads(fresh.stdout), fresh.stderr) == (0, [], "financehub: no price is stale\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--type", "bond"], "bond"),
        (["--sort", "prise"], "--sort prise: unknown key 'prise'; did you mean price?"),
    ],
)
def test_quotes_with_a_wrong_filter_exits_with_2(invoke: Any, arguments: list[str], problem: str) -> None:
    """An unknown type or key is a usage error that names what may be meant."""
    result = invoke("quotes", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
