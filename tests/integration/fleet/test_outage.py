"""Tests an outage of all providers of one dataset, and the recovery."""

import time
from decimal import Decimal

import pytest

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.core.models import Quote
from financehub_shared.market.redis_store import RedisStore
from integration.fleet.conftest import StartFleet
from support.fleet import Fleet
from support.waiting import eventually

pytestmark = pytest.mark.faults

CRYPTO = ("binance", "coingecko", "kraken")


def store_quotes_of_an_hour_ago(fleet: Fleet) -> None:
    """Create the state after an hour of outage: the last good quotes and their delivery time."""
    at = time.time() - HOUR_SECONDS
    store = RedisStore(fleet.redis())
    store.put_quotes([Quote(s, Decimal(1), "USD", at, at, "simulated/binance") for s in ("BTC-USD", "ETH-USD")])
    store.mark_success("quotes:crypto", "simulated/binance", at)


def crypto_check(fleet: Fleet) -> dict[str, str]:
    """Return the health check of crypto quotes."""
    report = fleet.health()
    return next((check for check in report.get("checks", []) if check["name"] == "data:quotes:crypto"), {})


def test_outage_of_all_crypto_providers_degrades_and_recovers(fleet: StartFleet) -> None:
    """During the outage the last good quotes remain but are stale, the health report has the reason, and the task is
    retried and dead-lettered with its history. After the outage quotes become fresh without intervention.
    """
    running = fleet(
        DRAMATIQ_MAX_RETRIES="2", FINANCEHUB_BREAKER_OPEN_SECONDS="1", FINANCEHUB_BREAKER_OPEN_MAX_SECONDS="2"
    )
    store_quotes_of_an_hour_ago(running)
    for upstream in CRYPTO:
        running.simulator.set_fault("server-error", upstream)
    running.schedule("crypto", "fetch_crypto_prices_task", "@every 4s")
    running.start_scheduler()
    running.start_tier("high")

    letters = DeadLetterQueue(running.redis())
    letter = running.cli("dead-letters", "show", eventually(letters.find, "a dead letter")[-1].id)
    assert letter["task"] == "fetch_crypto_prices_task"
    assert len(letter["failures"]) == 3  # the first attempt and two retries
    assert all("upstream" in failure["error"] or "breaker-open" in failure["error"] for failure in letter["failures"])

    quotes = {quote["symbol"]: quote for quote in running.cli("quotes", "BTC-USD", "ETH-USD")}
    assert all(quote["stale"] and quote["age_seconds"] >= HOUR_SECONDS for quote in quotes.values())
    assert Decimal(quotes["BTC-USD"]["price"]) == 1
    check = eventually(lambda: (c := crypto_check(running)) and c["status"] == "degraded" and c, "health says stale")
    assert "stale" in check["reason"]
    assert "binance" in check["reason"]

    running.simulator.reset()
    eventually(lambda: crypto_check(running).get("status") == "ok", "crypto quotes are fresh")
    assert not any(quote["stale"] for quote in running.cli("quotes", "BTC-USD", "ETH-USD"))
