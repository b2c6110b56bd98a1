"""Tests of the commands that show stored data: `quotes`, `indicators`, `bars`, `news` and `quarantine`."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from math import nan
from pathlib import Path
from typing import Any

import pytest

from financehub_shared.core.models import Quality, Quarantined
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.market.redis_store import RedisStore
from support.market_data import T0, bars, indicators, news, quote
from support.processes import end, launch


def test_quotes_shows_exact_price_age_and_staleness(cli: Any, store: RedisStore):
    """The JSON contains every digit of a price, its age and provider, and whether it is stale."""
    now = time.time()
    store.put_quotes(
        [
            quote("BTC-USD", "0.00000001", now - 30, provider="simulated/binance", change_percent=Decimal("-1.5")),
            quote("AAPL", "245.10", now - 3_600, provider="yahoo", upstream_at=None, note="binance: timeout"),
        ]
    )
    stock, crypto = cli("quotes")
    assert (crypto["symbol"], crypto["price"], crypto["provider"]) == ("BTC-USD", "0.00000001", "simulated/binance")
    assert (crypto["change_percent"], crypto["volume"], crypto["stale"]) == ("-1.5", None, False)
    assert 30 <= crypto["age_seconds"] < 60
    assert crypto["fetched_at"].endswith("Z")
    assert (stock["stale"], stock["upstream_at"], stock["note"]) == (True, None, "binance: timeout")


def test_quotes_table_shows_price_change_and_provider(invoke: Any, store: RedisStore):
    """The table shows the symbol, a readable price, the currency, the change and the provider."""
    store.put_quotes([quote("BTC-USD", "65000.10", time.time(), change_percent=Decimal("2.345"))])
    shown = invoke("quotes", "btc-usd").stdout
    for part in ("BTC-USD", "65,000.10", "USD", "+2.35%", "binance"):
        assert part in shown


def test_quotes_with_symbols_in_lower_case_lists_them_in_order(cli: Any, store: RedisStore):
    """Only the given symbols are listed, in the given order. They may be in upper or lower case."""
    store.put_quotes([quote("BTC-USD", fetched_at=time.time()), quote("AAPL", fetched_at=time.time())])
    assert [row["symbol"] for row in cli("quotes", "btc-usd", "aapl")] == ["BTC-USD", "AAPL"]


@pytest.mark.parametrize("command", ["quotes", "indicators", "bars"])
def test_command_with_known_symbol_without_data_exits_with_1(invoke: Any, store: RedisStore, command: str):
    """The exit code is 1 if a given symbol has no data yet, and 0 if the command lists all assets."""
    result = invoke(command, "AAPL", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == []
    assert "yet: AAPL" in result.stderr
    assert invoke(command).exit_code == 0


@pytest.mark.parametrize("command", ["quotes", "indicators", "bars", "news"])
def test_command_with_unknown_symbol_exits_with_2(invoke: Any, store: RedisStore, command: str):
    """The message suggests the most similar symbol, and stdout stays empty."""
    result = invoke(command, "BTC-USDT")
    assert result.exit_code == 2
    assert result.stderr == "financehub: unknown symbol 'BTC-USDT'; did you mean BTC-USD?\n"
    assert result.stdout == ""


def test_indicators_shows_defined_values_with_engine_and_day(cli: Any, invoke: Any, store: RedisStore):
    """The newest value of each indicator that is defined is shown with its engine, day and age."""
    store.put_indicators([indicators("AAPL", last_day=20_010, rsi_14=[1.0, 55.5], sma_20=[1.0, nan])])
    (row,) = cli("indicators")
    assert (row["symbol"], row["engine"], row["last_day"]) == ("AAPL", "talib", "2024-10-14")
    assert row["values"] == {"rsi_14": 55.5}
    assert {"computed_at", "age_seconds"} < row.keys()
    for arguments in (["indicators"], ["indicators", "AAPL"]):
        assert "55.5" in invoke(*arguments).stdout


def test_indicators_with_last_shows_the_values_by_day(cli: Any, invoke: Any, store: RedisStore):
    """`--last` adds the newest days, oldest first. A value that is not defined on a day is left out."""
    store.put_indicators([indicators("AAPL", last_day=20_010, rsi_14=[40.0, 41.5, 55.5], sma_20=[nan, 1.0, 2.0])])
    (row,) = cli("indicators", "AAPL", "--last", "2")
    assert [day["values"] for day in row["series"]] == [
        {"rsi_14": 41.5, "sma_20": 1.0},
        {"rsi_14": 55.5, "sma_20": 2.0},
    ]
    assert row["series"][-1]["day"] == row["last_day"]
    assert "41.5" in invoke("indicators", "AAPL", "--last", "2").stdout
    assert cli("indicators", "AAPL")[0]["series"] == []


def test_bars_without_symbols_summarizes_and_with_symbols_lists(cli: Any, invoke: Any, store: RedisStore):
    """Without symbols the command shows the number and age of the bars. With symbols it shows the newest bars."""
    today = int(time.time() // 86_400)
    store.put_bars([bars("AAPL", range(today - 30, today), provider="yahoo")])
    (summary,) = cli("bars")
    assert (summary["count"], summary["provider"], summary["bars"]) == (30, "yahoo", [])
    # midnight may pass during the test
    assert summary["age_days"] in {1, int(time.time() // 86_400) - today + 1}
    (listed,) = cli("bars", "AAPL", "--last", "3")
    assert [bar["day"] for bar in listed["bars"]] == sorted(bar["day"] for bar in listed["bars"])
    assert len(listed["bars"]) == 3
    assert listed["bars"][-1]["day"] == listed["last_day"]
    assert {"day", "open", "high", "low", "close", "volume"} == listed["bars"][0].keys()
    assert "30" in invoke("bars").stdout
    assert listed["last_day"] in invoke("bars", "AAPL").stdout


def test_bars_refetch_lets_the_next_run_read_the_whole_history(cli: Any, invoke: Any, store: RedisStore):
    """The command marks the assets and says what happens next (D6). It requires symbols, so nobody marks all assets."""
    reads = {symbol: FullRead(T0, T0 + 9) for symbol in ("AAPL", "BTC-USD")}
    store.put_full_reads(reads)
    shown = invoke("bars", "aapl", "--refetch").stdout
    assert "financehub run calculate_indicators_task --arg symbols=AAPL" in shown
    assert store.full_reads(["AAPL", "BTC-USD"]) == {"BTC-USD": reads["BTC-USD"]}
    assert cli("bars", "AAPL", "BTC-USD", "--refetch") == {"refetch": ["AAPL", "BTC-USD"]}
    assert store.full_reads(["AAPL", "BTC-USD"]) == {}
    refused = invoke("bars", "--refetch")
    assert refused.exit_code == 2
    assert "name the symbols" in refused.stderr


def test_news_lists_newest_first_and_each_article_once(cli: Any, invoke: Any, store: RedisStore):
    """Articles are listed newest first, and one about several of the given symbols is listed once."""
    now = time.time()
    store.put_news(
        [
            news("1", "Apple pays in bitcoin", now - 10, "AAPL", "BTC-USD"),
            news("2", "Bitcoin mining is back", now - 5, "BTC-USD"),
            news("3", "Tea is hot", now),
        ]
    )
    assert [item["title"] for item in cli("news")] == ["Tea is hot", "Bitcoin mining is back", "Apple pays in bitcoin"]
    selected = cli("news", "AAPL", "BTC-USD")
    assert [item["title"] for item in selected] == ["Bitcoin mining is back", "Apple pays in bitcoin"]
    assert selected[1]["assets"] == ["AAPL", "BTC-USD"]
    assert len(cli("news", "--limit", "1")) == 1
    assert "Tea is hot" in invoke("news").stdout


@pytest.fixture
def rejections(store: RedisStore) -> RedisStore:
    """A store whose quarantine has a quote that was rejected three times, a bar and a news item."""
    now = time.time()
    sentence = (
        "jump: +9900 % against 1.02 (0.1 h earlier); the limit is -40 % or +66.7 % within a day of the last price"
    )
    record = Quarantined("quote", "VOD.L", "yahoo", sentence, '{"price": "81.2"}', now - 60)
    store.put_quarantined([replace(record, at=now - 7_200), replace(record, at=now - 3_600), record])
    store.put_quarantined([Quarantined("bar", "AAPL", "yahoo", "unit: 100 times", "{}", now - 30)])
    store.put_quarantined([Quarantined("news", "https://wire.example/rss", "rss", "malformed: not XML", "<", now - 90)])
    return store


def test_quarantine_shows_one_record_per_reason_with_its_count(cli: Any, invoke: Any, rejections: RedisStore):
    """Each record is listed once, the last rejection first, with its first and last time and count (D12)."""
    rows = cli("quarantine")
    assert [(row["symbol"], row["count"]) for row in rows] == [
        ("AAPL", 1),
        ("VOD.L", 3),
        ("https://wire.example/rss", 1),
    ]
    assert rows[1]["reason"].endswith("within a day of the last price")
    assert (rows[1]["kind"], rows[1]["payload"]) == ("quote", '{"price": "81.2"}')
    assert rows[1]["first_at"] < rows[1]["at"]
    assert 60 <= rows[1]["age_seconds"] < 90
    shown = " ".join(invoke("quarantine").stdout.split())
    for part in (
        "jump: +9900 % against 1.02",
        "within a day of the last price",
        "2h 0m ago",
        " 3 ",
        "malformed: not XML",
    ):
        assert part in shown or part in invoke("quarantine").stdout


@pytest.mark.parametrize(
    ("arguments", "symbols"),
    [
        (["vod.l"], ["VOD.L"]),
        (["--symbol", "vod.l", "AAPL"], ["AAPL", "VOD.L"]),
        (["--kind", "bar"], ["AAPL"]),
        (["--kind", "news", "--symbol", "https://wire.example/rss"], ["https://wire.example/rss"]),
        (["--kind", "bar", "VOD.L"], []),
        (["--limit", "1"], ["AAPL"]),
    ],
)
def test_quarantine_with_filters_shows_matching_records(
    cli: Any, rejections: RedisStore, arguments: list[str], symbols: list[str]
):
    """Records can be selected by kind and symbol, and their number can be limited."""
    assert [row["symbol"] for row in cli("quarantine", *arguments)] == symbols


def test_quarantine_with_an_unknown_kind_names_the_right_one(invoke: Any, rejections: RedisStore):
    """A misspelled kind is an error, because an empty list would suggest that nothing was rejected."""
    result = invoke("quarantine", "--kind", "qoute")
    assert result.exit_code == 2
    assert "unknown kind 'qoute'; did you mean quote?" in result.stderr


def test_quarantine_with_clear_deletes_only_selected_records(cli: Any, invoke: Any, rejections: RedisStore):
    """Records whose cause has been fixed can be deleted. The others stay."""
    assert cli("quarantine", "--kind", "quote", "vod.l", "--clear") == {"cleared": 1}
    assert [row["symbol"] for row in cli("quarantine")] == ["AAPL", "https://wire.example/rss"]
    assert (
        "nothing in quarantine of the kind quote for VOD.L" in invoke("quarantine", "VOD.L", "--kind", "quote").stderr
    )
    assert cli("quarantine", "--clear") == {"cleared": 2}
    assert "nothing in quarantine\n" in invoke("quarantine").stderr


def test_quotes_table_shows_the_quality(invoke: Any, store: RedisStore):
    """An unconfirmed price is marked, and the note says why."""
    store.put_quotes([quote("BTC-USD", fetched_at=time.time(), quality=Quality.UNCONFIRMED, note="kraken states 1.2")])
    shown = invoke("quotes").stdout
    assert "unconfirmed" in shown
    assert "kraken states 1.2" in shown


def test_watch_with_json_prints_one_line_per_refresh_until_ctrl_c(redis_url: str, store: RedisStore):
    """Each refresh prints the data that is stored at that time, and Ctrl-C ends the command with exit code 0."""
    store.put_quotes([quote("BTC-USD", "1", time.time())])
    process = launch(
        [Path(sys.executable).parent / "financehub", "quotes", "BTC-USD", "--watch", "--every", "0.2", "--json"],
        env={**os.environ, "REDIS_URL": redis_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background ignore Ctrl-C, and their child processes inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())[0]["price"] == "1"
        store.put_quotes([quote("BTC-USD", "2", time.time())])
        limit = time.monotonic() + 60
        while json.loads(process.stdout.readline())[0]["price"] != "2":
            assert time.monotonic() < limit
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        end(process)
    assert (process.returncode, errors) == (0, "")
