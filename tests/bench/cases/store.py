"""Measures the store's time per call and bytes in Redis for quotes, bars, indicators and news."""

import statistics
import tempfile
import time
from array import array
from collections.abc import Callable
from decimal import Decimal
from math import nan
from pathlib import Path
from random import Random
from typing import Any

from bench.rows import Row
from financehub_shared.core.models import Bars, Indicators, NewsItem, Quote
from financehub_shared.market.news_urls import news_id
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.redis.client import connect
from support.redis_server import RedisServer

NOW = 1_800_000_000.0
TODAY = int(NOW // 86_400)
BARS = 500
SERIES = 100
OUTPUTS = 24
ROUNDS = 5
#: A vocabulary with the word frequencies of headlines: the frequency of the n-th word is proportional to 1/n.
WORDS = [f"word{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}" for n in range(5_000)]
WEIGHTS = [1 / (rank + 1) for rank in range(len(WORDS))]


def run() -> list[Row]:
    """Fill a separate Redis, and measure."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            return _rows(connect(server.url))
        finally:
            server.stop()


def _rows(client: Any) -> list[Row]:
    store, random = RedisStore(client), Random(7)
    symbols = [f"S{number:04d}-USD" for number in range(1_000)]
    quotes = [make_quote(f"S{number:04d}-USD", random) for number in range(2_000)]
    history = [_bars(symbol, random, range(TODAY - BARS, TODAY)) for symbol in symbols]
    new_day = [_bars(symbol, random, range(TODAY - 1, TODAY + 1)) for symbol in symbols]
    series = [_indicators(symbol, random) for symbol in symbols]
    news = [make_article(number, random) for number in range(10_000)]
    rows = [
        _time("quotes.write_2000", lambda: store.put_quotes(quotes)),
        _time("quotes.read_2000", lambda: store.quotes([quote.symbol for quote in quotes])),
        _time("bars.write_1000x500", lambda: store.put_bars(history), rounds=1),
        _time("bars.last_days_1000", lambda: store.last_days(symbols)),
        _time("bars.read_1000x500", lambda: store.bars(symbols)),
        _time("bars.append_day_1000", lambda: store.put_bars(new_day), rounds=1),
        _time("indicators.write_1000", lambda: store.put_indicators(series)),
        _time("indicators.read_1000", lambda: store.indicators(symbols)),
        _time("news.write_10000", lambda: store.put_news(news), rounds=1),
        _time("news.write_250_known", lambda: store.put_news(news[:250])),
        _time("news.read_50", lambda: store.news(limit=50)),
    ]
    blob = client.strlen(keys.bars("S0001-USD"))
    rows.append(Row("store.bars.blob_502", blob, "B", goal="<= 25 kB for 500", ok=blob <= 25_000 + 2 * 44))
    count = client.zcard(keys.NEWS_BY_TIME)
    sizes = {
        "quote": _usage(client, keys.QUOTES) / len(quotes),
        "bars_502": _usage(client, keys.bars("S0001-USD")),
        "indicators": _usage(client, keys.INDICATORS) / len(symbols),
        "indicator_series": _usage(client, keys.indicator_series("S0001-USD")),
        "news": sum(_usage(client, key) for key in client.scan_iter(f"{keys.NEWS}*", count=1_000)) / count,
    }
    rows += [Row(f"store.memory.{name}", round(size), "B") for name, size in sizes.items()]
    rows.append(Row("store.memory.all", client.info("memory")["used_memory"] / 1e6, "MB"))
    return rows


def _time(name: str, work: Callable[[], object], *, rounds: int = ROUNDS) -> Row:
    durations = []
    for _ in range(rounds):
        started_at = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started_at)
    return Row(f"store.{name}", statistics.median(durations) * 1e3, "ms")


def _usage(client: Any, key: str) -> int:
    return int(client.memory_usage(key, samples=0))


def make_quote(symbol: str, random: Random) -> Quote:
    """Return a generated quote."""
    price = Decimal(f"{random.uniform(1, 1_000):.4f}")
    return Quote(symbol, price, "USD", NOW, NOW + 1, "simulated/binance", Decimal("1.25"), Decimal("12345.678"))


def _bars(symbol: str, random: Random, days: range) -> Bars:
    columns = [array("d", (random.uniform(90, 110) for _ in days)) for _ in range(5)]
    return Bars(symbol, "simulated/binance", array("i", days), *columns)


def _indicators(symbol: str, random: Random) -> Indicators:
    days = array("i", range(TODAY - SERIES, TODAY))
    values = [array("d", [nan, *(random.random() for _ in range(SERIES - 1))]) for _ in range(OUTPUTS)]
    series = {f"output_{number}": column for number, column in enumerate(values)}
    return Indicators(symbol, "talib", NOW, TODAY - BARS, TODAY - 1, BARS, days, series)


def make_article(number: int, random: Random) -> NewsItem:
    """Return a generated article."""
    title = " ".join(random.choices(WORDS, WEIGHTS, k=10))
    url = f"https://example.com/markets/2027/01/{number}-{'-'.join(title.split()[:5])}"
    at = NOW - random.uniform(0, 30 * 86_400)
    return NewsItem(news_id(url), title, url, "Example Wire", at, NOW, "simulated/rss", f"tag:{number}", ())
