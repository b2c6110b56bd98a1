"""Tests that no process prints a secret, even if Redis or upstreams fail."""

import urllib.request
from collections.abc import Callable
from typing import Any

from financehub_shared.broker import DeadLetterQueue
from integration.fleet.conftest import StartFleet
from support.waiting import eventually

PASSWORD = "redis-pa55word-of-the-test"
KEYS = {
    "FINANCEHUB_FINNHUB_API_KEY": "finnhub-key-of-the-test",
    "FINANCEHUB_COINGECKO_API_KEY": "coingecko-key-of-the-test",
}


def dump(client: Any) -> str:
    """Return all keys and values as one string."""
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    # a key may expire before it is read
    kinds = ((key, client.type(key)) for key in client.scan_iter())
    return "".join(f"{key!r} {readers[kind](key)}" for key, kind in kinds if kind != b"none")


def test_fleet_with_failures_exposes_no_secret(fleet: StartFleet) -> None:
    """With a Redis password, API keys and failing upstreams, no log, metric, health report, CLI output or Redis key
    contains a secret.
    """
    running = fleet("--requirepass", PASSWORD, **KEYS, DRAMATIQ_MAX_RETRIES="1", FINANCEHUB_LOG_LEVEL="DEBUG")
    for upstream in ("binance", "coingecko", "kraken", "yahoo", "finnhub"):
        running.simulator.set_fault(
            "unauthorized" if upstream in {"coingecko", "finnhub"} else "server-error", upstream
        )
    running.schedule("crypto", "fetch_crypto_prices_task", "@every 2s")
    running.schedule("stocks", "fetch_stock_prices_task", "@every 2s")
    running.start_scheduler()
    running.start_tier("high")
    letters = DeadLetterQueue(running.redis())
    eventually(lambda: len({letter.task for letter in letters.find()}) > 1, "dead letters of both tasks")
    running.server.kill()
    eventually(lambda: "redis_unavailable" in running.log("scheduler"), "the outage of Redis is logged")
    running.server.start()

    texts = {name: running.log(name) for name in ("scheduler", "high")}
    for name, port in running.ports.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            texts[f"metrics of {name}"] = answer.read().decode()
        texts[f"health of {name}"] = str(running.health(name))
    with running.redis() as client:
        texts["Redis"] = dump(client)
    assert "traceback" in texts["Redis"]
    texts["dead letters"] = str(running.cli("dead-letters", "list"))
    texts["status"] = str(running.cli("status", code=1))
    for secret in (PASSWORD, *KEYS.values()):
        assert [name for name, text in texts.items() if secret in text] == []
    assert "finnhub" in texts["high"]  # it was called, so its key was used
