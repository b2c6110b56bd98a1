"""Tests that no process prints a secret, even if Redis or upstreams fail."""

import urllib.request
from collections.abc import Callable
from typing import Any

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from integration.fleet.conftest import StartFleet
from support.simulator import RunningSimulator
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
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
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


#: Each is in another part of a URL. None looks like a token, so nothing but the setting says that it is secret.
FEED_SECRETS = ("subscriberpassword", "privatepath", "membername", "brokenfeedpath")


def test_fleet_with_secret_feeds_exposes_no_part_of_them(fleet: StartFleet, simulator: RunningSimulator) -> None:
    """Feeds with a secret are fetched. No log, metric, health report, CLI output or key in Redis contains a part of
    their URLs, whether they deliver news or something else, or do not answer.
    """
    password, path, member, broken = FEED_SECRETS
    base = simulator.base_url.removeprefix("http://")
    urls = [
        f"http://reader:{password}@{base}/rss/yahoo",
        f"http://{base}/rss/{path}/rss",
        f"http://{base}/rss/coindesk?member={member}",
        f"http://127.0.0.1:1/{broken}",
    ]
    running = fleet(FINANCEHUB_LOG_LEVEL="DEBUG", FINANCEHUB_RSS_FEEDS="", FINANCEHUB_SECRET_RSS_FEEDS="\n".join(urls))
    running.schedule("news", "fetch_news_task", "@every 2s")
    running.start_scheduler()
    running.start_tier("medium")
    eventually(lambda: running.log("medium").count('"event":"task_succeeded"') > 1, "two runs have ended", 90)
    texts = {name: running.log(name) for name in ("scheduler", "medium")}
    assert f"{base.split(':')[0]}" in texts["medium"]
    for name, port in running.ports.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            texts[f"metrics of {name}"] = answer.read().decode()
        texts[f"health of {name}"] = str(running.health(name))
    with running.redis() as client:
        texts["Redis"] = dump(client)
    for command in ("status", "stats", "schedules list", "dead-letters list", "news", "quarantine"):
        texts[command] = str(running.cli(*command.split(), code=None))
    # the working feeds were fetched, and the broken ones are named by their host
    assert "simulated" in texts["news"]
    assert "127.0.0.1:1/***" in texts["medium"]
    for secret in FEED_SECRETS:
        assert [name for name, text in texts.items() if secret in text] == []
