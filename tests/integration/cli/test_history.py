"""Tests of `financehub history`."""

import time
from typing import Any

import pytest
import redis

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Quality
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from support.market_data import bars, quote

#: An hour ago, so that the times are in the default range and the intervals are known.
START = (time.time() - 3_600) // 3_600 * 3_600
TODAY = int(START // DAY_SECONDS)


def fetch(store: RedisStore, symbol: str, seconds: float, price: str, **more: object) -> None:
    """Store a quote that was made and fetched a number of seconds after `START`."""
    store.put_quotes([quote(symbol, price, START + seconds, **more)], replaced={symbol} if more else ())


def test_history_shows_the_prices_of_each_interval(cli: Any, invoke: Any, store: RedisStore):
    """An interval has the first, highest, lowest and last price. Intervals without a price are left out."""
    for seconds, price in ((0, "10"), (60, "12"), (120, "9"), (299, "11"), (600, "13")):
        fetch(store, "BTC-USD", seconds, price)
    shown = cli("history", "btc-usd")
    assert (shown["symbol"], shown["interval"], shown["simulated"]) == ("BTC-USD", "5m", False)
    first, second = shown["candles"]
    at = first.pop("at")
    assert first == {"open": 10, "high": 12, "low": 9, "close": 11, "count": 4}
    assert (second["open"], second["count"]) == (13, 1)
    assert [each["count"] for each in cli("history", "BTC-USD", "--interval", "1h")["candles"]] == [5]
    assert [each["close"] for each in cli("history", "BTC-USD", "-i", "1m", "--last", "2")["candles"]] == [11, 13]
    assert [each["count"] for each in cli("history", "BTC-USD", "--from", at, "--to", second["at"])["candles"]] == [4]
    within = cli("history", "BTC-USD", "--from", at.replace(":00.", ":01."), "--to", at.replace(":00.", ":02."))
    assert within["candles"] == [{"at": at, **first}]
    text = invoke("history", "BTC-USD").stdout
    assert at[:10] in text
    assert "BTC-USD  5m" in text


def test_history_with_from_shows_all_intervals_and_otherwise_the_newest(cli: Any, store: RedisStore):
    """Without options, the table fits on a screen."""
    for minute in range(50):
        fetch(store, "BTC-USD", 60 * minute - 3_600, str(100 + minute))
    assert len(cli("history", "BTC-USD", "-i", "1m")["candles"]) == 20
    day = time.strftime("%Y-%m-%d", time.gmtime(START - DAY_SECONDS))
    assert len(cli("history", "BTC-USD", "-i", "1m", "--from", day)["candles"]) == 50


def test_history_names_splits_and_unconfirmed_prices(cli: Any, invoke: Any, store: RedisStore):
    """Notes say what was done with the prices, and the JSON has it too."""
    store.put_bars([bars("AAPL", [TODAY - 1], 50 - (TODAY - 1) / 1_000 - 0.25)])
    fetch(store, "AAPL", -DAY_SECONDS, "100")
    fetch(store, "AAPL", 0, "50.5", quality=Quality.UNCONFIRMED)
    shown = cli("history", "AAPL", "-i", "1d")
    (change,) = shown["scale_changes"]
    assert change["factor"] == 2
    assert change["at"] == shown["unconfirmed_since"]
    assert [candle["close"] for candle in shown["candles"]] == [50, 50.5]
    notes = invoke("history", "AAPL").stderr
    assert "were divided by 2" in notes
    assert "are unconfirmed" in notes


def test_history_without_prices_fails_with_a_note(cli: Any, invoke: Any, store: RedisStore):
    """A missing history is not an empty success. The JSON still has its shape."""
    assert cli("history", "AAPL", code=1)["candles"] == []
    assert "no price of AAPL in this range" in invoke("history", "AAPL").stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["NOPE"], "unknown symbol 'NOPE'"),
        (["AAPL", "--interval", "2m"], "unknown interval '2m'; choose one of 1m, 5m, 15m, 1h, 1d"),
        (["AAPL", "--from", "soon"], "--from: 'soon' is not a day or time; write one such as"),
        (["AAPL", "--from", "2026-01-05", "--to", "2026-01-05"], "the start of the range must be before its end"),
        (["AAPL", "--from", "2020-01-05"], "longer than 366 days"),
        (["AAPL", "--last", "0"], "--last"),
    ],
)
def test_history_with_an_invalid_argument_says_what_to_write(
    invoke: Any, store: RedisStore, arguments: list[str], problem: str
):
    """The exit code is 2, and the message names the argument and the remedy."""
    refused = invoke("history", *arguments)
    assert refused.exit_code == 2
    assert problem in refused.stderr


def test_history_with_damaged_records_shows_the_others(
    cli: Any, invoke: Any, store: RedisStore, redis_client: redis.Redis
):
    """The exit code is 1 and a note names the key, as for every record that cannot be read."""
    fetch(store, "BTC-USD", 0, "10")
    redis_client.append(keys.history("BTC-USD", TODAY), "12 bytes are")
    assert len(cli("history", "BTC-USD", code=1)["candles"]) == 1
    assert f"{keys.history('BTC-USD', TODAY)}: 1 of its 2 records cannot be read" in invoke("history", "BTC-USD").stderr


def test_history_of_an_asset_whose_record_is_unreadable_fails(
    invoke: Any, store: RedisStore, redis_client: redis.Redis
):
    """The note names the record of the asset."""
    redis_client.hset(keys.ASSETS, "BTC-USD", "?")
    shown = invoke("history", "BTC-USD")
    assert shown.exit_code == 1
    assert f"{keys.ASSETS} BTC-USD" in shown.stderr
