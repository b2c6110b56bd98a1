"""`quotes`, `indicators`, `bars`, `news`: the data as stored, with age and provider."""

import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from math import nan
from pathlib import Path
from typing import Any

import pytest

from financehub_shared.core.models import Quarantined
from financehub_shared.market.redis_store import RedisStore
from support.processes import end, launch
from support.store_contract import bars, indicators, news, quote


def test_quotes_are_listed_with_age_provider_and_staleness(cli: Any, store: RedisStore):
    """Each stored price is told digit by digit, and whether its age is beyond what its schedule allows."""
    now = time.time()
    store.put_quotes(
        [
            quote("BTC-USD", "0.00000001", now - 30, provider="simulated/binance", change_percent=Decimal("-1.5")),
            quote("AAPL", "245.10", now - 3_600, provider="yahoo", upstream_at=None, note="binance: timeout"),
        ]
    )
    stock, coin = cli("quotes")
    assert (coin["symbol"], coin["price"], coin["provider"]) == ("BTC-USD", "0.00000001", "simulated/binance")
    assert (coin["change_percent"], coin["volume"], coin["stale"]) == ("-1.5", None, False)
    assert 30 <= coin["age_seconds"] < 60
    assert coin["fetched_at"].endswith("Z")
    assert (stock["stale"], stock["upstream_at"], stock["note"]) == (True, None, "binance: timeout")


def test_a_table_shows_what_the_json_holds(invoke: Any, store: RedisStore):
    """People see symbol, price, change and provider."""
    store.put_quotes([quote("BTC-USD", "65000.10", time.time(), change_percent=Decimal("2.345"))])
    shown = invoke("quotes", "btc-usd").stdout
    for part in ("BTC-USD", "65,000.10", "USD", "+2.35%", "binance"):
        assert part in shown


def test_symbols_narrow_the_listing_in_any_case(cli: Any, store: RedisStore):
    """Only what was asked for is listed, in the order it was asked for."""
    store.put_quotes([quote("BTC-USD", fetched_at=time.time()), quote("AAPL", fetched_at=time.time())])
    assert [row["symbol"] for row in cli("quotes", "btc-usd", "aapl")] == ["BTC-USD", "AAPL"]


@pytest.mark.parametrize("command", ["quotes", "indicators", "bars"])
def test_a_known_symbol_without_data_ends_with_1_and_says_so(invoke: Any, store: RedisStore, command: str):
    """A script can tell 'nothing yet' from data; listing everything is no failure."""
    done = invoke(command, "AAPL", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == []
    assert "yet: AAPL" in done.stderr
    assert invoke(command).exit_code == 0


@pytest.mark.parametrize("command", ["quotes", "indicators", "bars", "news"])
def test_an_unknown_symbol_ends_with_2_and_the_nearest_one(invoke: Any, store: RedisStore, command: str):
    """A typo is told before anything is listed."""
    done = invoke(command, "BTC-USDT")
    assert done.exit_code == 2
    assert done.stderr == "financehub: unknown symbol 'BTC-USDT'; did you mean BTC-USD?\n"
    assert done.stdout == ""


def test_indicators_are_listed_with_engine_day_and_age(cli: Any, invoke: Any, store: RedisStore):
    """The newest defined value of each output is listed with its origin."""
    store.put_indicators([indicators("AAPL", last_day=20_010, rsi_14=[1.0, 55.5], sma_20=[1.0, float("nan")])])
    (row,) = cli("indicators")
    assert (row["symbol"], row["engine"], row["last_day"]) == ("AAPL", "talib", "2024-10-14")
    assert row["values"] == {"rsi_14": 55.5}
    assert {"computed_at", "age_seconds"} < row.keys()
    for arguments in (["indicators"], ["indicators", "AAPL"]):
        assert "55.5" in invoke(*arguments).stdout


def test_bars_are_summed_up_or_listed(cli: Any, invoke: Any, store: RedisStore):
    """Without symbols the stored span of each asset is told, with symbols its newest bars."""
    today = int(time.time() // 86_400)
    store.put_bars([bars("AAPL", range(today - 30, today), provider="yahoo")])
    (whole,) = cli("bars")
    assert (whole["count"], whole["provider"], whole["bars"]) == (30, "yahoo", [])
    assert whole["age_days"] in {1, int(time.time() // 86_400) - today + 1}  # midnight may come in between
    (one,) = cli("bars", "AAPL", "--last", "3")
    assert [bar["day"] for bar in one["bars"]] == sorted(bar["day"] for bar in one["bars"])
    assert len(one["bars"]) == 3
    assert one["bars"][-1]["day"] == one["last_day"]
    assert {"day", "open", "high", "low", "close", "volume"} == one["bars"][0].keys()
    assert one["last_day"] in invoke("bars", "AAPL").stdout


def test_news_are_listed_newest_first_and_by_asset(cli: Any, invoke: Any, store: RedisStore):
    """Articles that name any of the symbols are listed once each."""
    now = time.time()
    store.put_news(
        [
            news("1", "Apple pays in bitcoin", now - 10, "AAPL", "BTC-USD"),
            news("2", "Bitcoin mining is back", now - 5, "BTC-USD"),
            news("3", "Tea is hot", now),
        ]
    )
    assert [item["title"] for item in cli("news")] == ["Tea is hot", "Bitcoin mining is back", "Apple pays in bitcoin"]
    named = cli("news", "AAPL", "BTC-USD")
    assert [item["title"] for item in named] == ["Bitcoin mining is back", "Apple pays in bitcoin"]
    assert named[1]["assets"] == ["AAPL", "BTC-USD"]
    assert len(cli("news", "--limit", "1")) == 1
    assert "Tea is hot" in invoke("news").stdout


def test_watching_goes_on_until_ctrl_c(redis_url: str, store: RedisStore):
    """`--watch --json` prints one line per refresh with what is stored then, and Ctrl-C ends it well."""
    store.put_quotes([quote("BTC-USD", "1", time.time())])
    process = launch(
        [Path(sys.executable).parent / "financehub", "quotes", "BTC-USD", "--watch", "--every", "0.2", "--json"],
        env={**os.environ, "REDIS_URL": redis_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a run of the tests in the background ignores Ctrl-C, and its children with it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())[0]["price"] == "1"
        store.put_quotes([quote("BTC-USD", "2", time.time())])
        limit = time.monotonic() + 10
        while json.loads(process.stdout.readline())[0]["price"] != "2":
            assert time.monotonic() < limit
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    finally:
        end(process)
    assert (process.returncode, errors) == (0, "")


def test_the_series_of_an_asset_is_told_day_by_day(cli: Any, invoke: Any, store: RedisStore):
    """`--last` adds the newest days, oldest first, leaving out what was not defined on a day."""
    store.put_indicators([indicators("AAPL", last_day=20_010, rsi_14=[40.0, 41.5, 55.5], sma_20=[nan, 1.0, 2.0])])
    (row,) = cli("indicators", "AAPL", "--last", "2")
    assert [each["values"] for each in row["series"]] == [
        {"rsi_14": 41.5, "sma_20": 1.0},
        {"rsi_14": 55.5, "sma_20": 2.0},
    ]
    assert row["series"][-1]["day"] == row["last_day"]
    assert "41.5" in invoke("indicators", "AAPL", "--last", "2").stdout
    assert cli("indicators", "AAPL")[0]["series"] == []


def test_the_quarantine_is_told_with_reason_and_payload(cli: Any, invoke: Any, store: RedisStore):
    """What failed validation can be looked at, newest first, of all symbols or of some."""
    now = time.time()
    store.put_quarantined(
        [
            Quarantined("quote", "VOD.L", "yahoo", "jump: +9900 %", '{"price": "81.2"}', now - 60),
            Quarantined("bar", "AAPL", "yahoo", "unit: 100 times", "{}", now - 30),
        ]
    )
    assert [row["symbol"] for row in cli("quarantine")] == ["AAPL", "VOD.L"]
    (row,) = cli("quarantine", "vod.l")
    assert (row["kind"], row["reason"], row["payload"]) == ("quote", "jump: +9900 %", '{"price": "81.2"}')
    assert 60 <= row["age_seconds"] < 90
    assert "jump: +9900 %" in invoke("quarantine").stdout
    assert "nothing in quarantine of BTC-USD" in invoke("quarantine", "BTC-USD").stderr
