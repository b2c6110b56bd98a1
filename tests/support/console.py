"""A web process with a filled Redis, for tests that look at the console with a browser."""

import json
import math
import os
import time
import urllib.error
import urllib.request
from array import array
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import redis

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars, Indicators, Quality, Quarantined
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import RunState
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import attempt_finished
from financehub_shared.redis import keys, queue_keys
from support.fleet import BIN
from support.full_redis import fill
from support.hostile_messages import message
from support.market_data import news, quote
from support.processes import end, launch
from support.redis_server import free_port
from support.run_events import start_event
from support.schedules import UID
from support.waiting import eventually

#: Text that runs a script, changes the direction of text, or ends an attribute, if a page does not escape it.
HOSTILE = "<script>document.title='owned'</script>\"'><img src=x onerror=document.title='owned'>\u202efdp"
#: A symbol that begins an element and ends an attribute, if a page does not escape it.
HOSTILE_SYMBOL = '<B>"X'
#: How a page shows the last part of the text.
HOSTILE_END = r"\u202efdp"
#: The run and the dead letter with hostile text.
HOSTILE_RUN, HOSTILE_LETTER = "hostile-run", "hostile-letter"
#: A run of a task of the catalog whose arguments are known.
STORED_RUN = "run-with-arguments"
#: Number of assets with made-up symbols, so that the page Quotes has several pages.
FILLERS = 450
_DAYS = 760
_WEEKEND = 5


class Console:
    """A web process.

    Args:
        redis_url: Its Redis.
        folder: Folder of its log.
        environment: Further settings.
    """

    def __init__(self, redis_url: str, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.redis_url = redis_url
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = folder / f"web-{self.port}.log"
        variables = {
            "REDIS_URL": redis_url,
            "FINANCEHUB_WEB_HOST": "localhost",
            "FINANCEHUB_WEB_PORT": str(self.port),
            "FINANCEHUB_WEB_REQUESTS_PER_SECOND": "10000",
            "FINANCEHUB_HTTP_HOST": "localhost",
            "FINANCEHUB_HTTP_PORT": str(free_port()),
        }
        with self.log.open("wb") as log:
            self._process = launch(
                [BIN / "financehub-web"], env={**os.environ, **variables, **(environment or {})}, stdout=log, stderr=log
            )

    def await_ready(self) -> "Console":
        """Wait until it answers."""
        eventually(self._answers, "the web process answers", within=120)
        return self

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/static/favicon.svg", timeout=5).close()  # noqa: S310 — our own URL
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Stop it."""
        end(self._process)


def fill_for_console(client: "redis.Redis", url: str) -> None:
    """Write everything that the pages show: much of it, and some of it hostile.

    Args:
        client: Client of an empty Redis.
        url: URL of this Redis.
    """
    fill(client, url)
    now = time.time()
    _put_market_data(RedisStore(client), now)
    _put_runs(client, now)
    at = round(now * 1000)
    death = {"reason": "retries-exhausted", "exception": "ValueError", "error": HOSTILE, "died_at": at}
    options = {
        "dead_letter": {**death, "traceback": f"Traceback:\n  line\n{HOSTILE}"},
        "failures": [{"at": at, "exception": "ValueError", "error": HOSTILE}],
    }
    arguments = json.dumps({"sources": [HOSTILE]})
    letter = message("fetch_news_task", id=HOSTILE_LETTER, kwargs=arguments, options=json.dumps(options))
    put_letter(client, HOSTILE_LETTER, letter)
    client.hset(keys.SCHEDULES_REFUSED, f"{HOSTILE}.yaml:3", f'{{"message": {json.dumps(HOSTILE)}, "at": 1}}')


def put_letter(client: "redis.Redis", id: str, letter: str | bytes) -> None:
    """Write a dead letter that dies now.

    Args:
        client: Client of the Redis of the queues.
        id: Its id.
        letter: Its message.
    """
    client.zadd(queue_keys.dead("low"), {id: time.time() * 1000})
    client.hset(queue_keys.dead_messages("low"), id, letter)


def _put_market_data(store: RedisStore, now: float) -> None:
    today = int(now // 86_400)
    store.put_assets(
        [
            Asset("AAPL", AssetType.STOCK, "Apple", declared=True),
            Asset("BTC-USD", AssetType.CRYPTO, HOSTILE, aliases=(HOSTILE,)),
            Asset("M&M.NS", AssetType.STOCK, "Mahindra & Mahindra", "INR"),
            Asset(HOSTILE_SYMBOL, AssetType.STOCK, "An asset whose symbol is not one"),
            *(Asset(f"T{number:03}", AssetType.STOCK, f"Filler {number}") for number in range(FILLERS)),
        ]
    )
    _put_prices_of_a_week(store, now)
    store.put_quotes(
        [
            quote("AAPL", "456.06", now - 30, change_percent=Decimal("-0.79"), volume=Decimal(15_900_000)),
            quote("BTC-USD", "71416.56", now - 7_200, quality=Quality.UNCONFIRMED, note=HOSTILE),
            quote("M&M.NS", "3012.5", now - 20, currency="INR", change_percent=Decimal("1.5")),
            quote(HOSTILE_SYMBOL, "1", now - 20),
            *(
                quote(f"T{number:03}", str(10 + number), now - 20, change_percent=Decimal(number - 200) / 100)
                for number in range(FILLERS)
            ),
        ]
    )
    store.put_bars([walk("AAPL", today), walk("BTC-USD", today)])
    store.put_indicators([_indicators("AAPL", today, now)])
    store.put_quarantined([Quarantined("quote", "AAPL", "yahoo", f"jump: {HOSTILE}", HOSTILE, now)])
    items = [
        news(f"story-{number}", f"Headline {number} about Apple", now - number * 60, "AAPL") for number in range(70)
    ]
    hostile = news("hostile", HOSTILE, now, "AAPL", source=HOSTILE)
    store.put_news([*items, hostile, replace(hostile, id="script", url="javascript:document.title='owned'")])
    for dataset, provider in (("quotes:crypto", "binance"), ("quotes:stock", "yahoo"), ("bars", "yahoo")):
        store.mark_success(dataset, provider, now - 60)


def _put_prices_of_a_week(store: RedisStore, now: float) -> None:
    """Write the prices of AAPL before its newest one: one per hour, and every ten minutes in the last day."""
    ages = [*range(6 * 86_400, 86_400, -3_600), *range(86_400, 0, -600)]
    for number, age in enumerate(ages):
        price = 456 + 4 * math.sin(number / 9) + number * 37 % 11 / 10
        store.put_quotes([quote("AAPL", f"{price:.2f}", now - age)])


def walk(symbol: str, today: int) -> Bars:
    """Return the bars of the weekdays of three years, as a random walk that is the same in every run."""
    random = Random(symbol)
    days = [day for day in range(today - _DAYS * 7 // 5, today) if (day + 3) % 7 < _WEEKEND]
    columns: dict[str, list[float]] = {name: [] for name in ("open", "high", "low", "close", "volume")}
    level = 400.0
    for _ in days:
        opened, level = level, level * (1 + random.gauss(0.0003, 0.015))
        columns["open"].append(round(opened, 2))
        columns["close"].append(round(level, 2))
        columns["high"].append(round(max(opened, level) * (1 + random.random() / 100), 2))
        columns["low"].append(round(min(opened, level) * (1 - random.random() / 100), 2))
        columns["volume"].append(float(random.randrange(5_000_000, 20_000_000)))
    return Bars(symbol, "yahoo", array("i", days), *(array("d", column) for column in columns.values()))


def _indicators(symbol: str, today: int, now: float) -> Indicators:
    bars = walk(symbol, today)
    days, closes = bars.days[-100:], bars.close[-100:]
    series = {
        "sma_20": array("d", [close * 0.98 for close in closes]),
        "sma_50": array("d", [math.nan] * 10 + [close * 0.96 for close in closes[10:]]),
        "rsi_14": array("d", [40.0 + number % 30 for number in range(100)]),
        "macd": array("d", [math.sin(number / 9) for number in range(100)]),
        "macd_signal": array("d", [math.sin(number / 9 - 0.3) for number in range(100)]),
        "macd_histogram": array("d", [math.sin(number / 9) / 3 for number in range(100)]),
        "bollinger_upper": array("d", [close * 1.03 for close in closes]),
        "bollinger_middle": array("d", closes),
        "bollinger_lower": array("d", [close * 0.97 for close in closes]),
    }
    return Indicators(symbol, "talib", now - 60, bars.days[0], bars.days[-1], len(bars), days, series)


def _put_runs(client: "redis.Redis", now: float) -> None:
    writer = RecordWriter(client, time.monotonic, 86_400)
    names: dict[str, Any] = {name: getattr(keys, f"task_{name}")("fetch_news_task") for name in ("stats", "running")}
    for number in range(130):
        outcome = RunState.SUCCEEDED if number % 10 else RunState.DEAD_LETTERED
        at = now - 60 * number
        fields: dict[str, Any] = {"started_at": at, "enqueued_at": at - 1, "uid": UID, "schedule": "default/demo"}
        start = start_event(f"run-{number:03}", task="fetch_news_task", **names, **fields)
        error = "" if outcome is RunState.SUCCEEDED else "ValueError: no"
        writer.record_end(attempt_finished(start, outcome, at + 2, 1.5 + number % 7, error=error))
    known = {"task": "fetch_news_task", "started_at": now, "enqueued_at": now, **names}
    start = start_event(STORED_RUN, **known, arguments='{"kwargs": {"sources": ["Wire"]}}')
    writer.record_end(attempt_finished(start, RunState.SUCCEEDED, now + 1, 1.0))
    start = start_event(HOSTILE_RUN, **known, arguments=json.dumps({"kwargs": {"sources": [HOSTILE]}}))
    writer.record_end(attempt_finished(start, RunState.DEAD_LETTERED, now + 1, 1.0, error=HOSTILE))
    writer.flush()
