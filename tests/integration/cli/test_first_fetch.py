"""Tests of the first fetch of `assets add`, with a real worker (D11)."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from financehub_cli import first_fetch
from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.errors import TaskFailedError
from financehub_shared.core.models import Quality
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.worker.actors import declare
from support.market_data import quote
from support.observed import ObservedWorker
from support.waiting import eventually

WRONG_CURRENCY = (
    "yahoo: quarantined: currency: USD instead of GBP; if USD is right, set it as the currency of the asset"
)


@pytest.fixture
def fleet(redis_url: str, store: RedisStore) -> Iterator[ObservedWorker]:
    """A worker whose price tasks store a quote, or fail for London funds that are priced in dollars."""
    fleet = ObservedWorker(redis_url)

    def fetch_stock(symbols: list[str] | None = None) -> TaskSummary:
        (symbol,) = symbols or []
        if symbol == "CSPX.L":
            raise TaskFailedError(f"no quote of 1 stock assets: {WRONG_CURRENCY}")
        store.put_quotes([quote(symbol, "186.5", provider="yahoo", note="finnhub: timeout")])
        return TaskSummary(requested=1, stored=1)

    declare(fleet.broker, "fetch_stock_prices_task", fetch_stock)
    yield fleet
    fleet.broker.close()


def test_assets_add_prints_what_the_first_fetch_returned(shell: Any, fleet: ObservedWorker, redis_client: redis.Redis):
    """A first fetch reports price, currency, provider and note. A failed one reports the reason and the next step.

    The asset stays added in both cases. The exit code shows the difference, and a failed first fetch leaves no dead
    letter.
    """
    with fleet.working():
        eventually(lambda: redis_client.exists(keys.PROCESSES), "the worker is live")
        fetched = shell("assets", "add", "MSFT", "--type", "stock", "--json")
        failed = shell("assets", "add", "CSPX.L", "--type", "stock")
    assert (fetched.returncode, failed.returncode) == (0, 1)
    (added,) = json.loads(fetched.stdout)
    assert added["first_fetch"] == {
        "price": "186.5",
        "currency": "USD",
        "provider": "yahoo",
        "quality": "good",
        "note": "finnhub: timeout",
        "problem": "",
    }
    assert f"first fetch: failed: {WRONG_CURRENCY}" in failed.stdout
    assert "CSPX.L is added, and every run tries again" in failed.stdout
    assert {"MSFT", "CSPX.L"} <= {asset.symbol for asset in RedisStore(redis_client).assets()}
    assert DeadLetterQueue(redis_client).find() == []


def test_first_fetch_is_described_with_its_price_and_quality():
    """The line for people contains price, currency, provider, quality and note."""
    stored = quote(
        "VOD.L", "0.811", currency="GBP", provider="yahoo", quality=Quality.CORRECTED, note="unit: GBp to GBP"
    )
    line = first_fetch.FirstFetch(stored).describe("VOD.L")
    assert line == "first fetch: 0.811000 GBP from yahoo, corrected (unit: GBp to GBP)"


def test_assets_add_without_worker_adds_the_asset_and_says_that_nothing_was_fetched(
    invoke: Any, cli: Any, store: RedisStore, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
):
    """Without a live worker, the command says so after a short wait, does not enqueue anything, and exits with 0."""
    monkeypatch.setattr(first_fetch, "ABSENCE_SECONDS", 0.2)
    began = time.monotonic()
    result = invoke("assets", "add", "MSFT", "--type", "stock")
    assert result.exit_code == 0
    assert "first fetch: not done: no live worker serves queue 'high'. MSFT is added, and the next run" in result.stdout
    assert time.monotonic() - began < 40
    assert "MSFT" in {asset.symbol for asset in store.assets()}
    assert redis_client.keys("dramatiq:*") == []
    (added,) = cli("assets", "add", "MSFT", "--type", "stock")
    assert added["first_fetch"]["problem"] == "no live worker serves queue 'high'"
