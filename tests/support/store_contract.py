"""The properties of every store. Unit tests check them for `MemoryStore`, and integration tests for `RedisStore`."""

from dataclasses import replace
from decimal import Decimal
from math import inf, nan
from typing import ClassVar

import pytest

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import (
    PAYLOAD_LIMIT,
    REASON_LIMIT,
    Asset,
    IndicatorValues,
    NewsItem,
    Quality,
    Quarantined,
)
from financehub_shared.market import quarantine
from financehub_shared.market.dedupe.identity import STORY_WINDOW
from financehub_shared.market.dedupe.known_news import DroppedNews
from financehub_shared.market.protocols import Store
from financehub_shared.market.quality.disputes import Claim, Dispute
from financehub_shared.market.quality.full_reads import FullRead
from support import memory_store
from support.history_contract import HistoryContract
from support.market_data import T0, bars, indicators, news, quote

WEEK = 7 * DAY_SECONDS
SURGE = "Bitcoin tops $70,000 as ETF inflows surge"
BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin", provider_symbols={"kraken": "XBTUSD"})
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
VOD = Asset("VOD.L", AssetType.STOCK, "Vodafone — plc", currency="GBP", active=False)


class AssetsContract:
    """Properties of assets."""

    def test_assets_returns_stored_assets_sorted_by_symbol(self, store: Store):
        """Stored assets are returned unchanged and sorted by symbol."""
        store.put_assets([BTC, VOD, AAPL])
        assert store.assets(active_only=False) == [AAPL, BTC, VOD]

    def test_assets_filters_by_type_and_activity(self, store: Store):
        """Only active assets of the given type are returned unless inactive ones are requested."""
        store.put_assets([BTC, VOD, AAPL])
        assert store.assets() == [AAPL, BTC]
        assert store.assets(AssetType.STOCK) == [AAPL]
        assert store.assets(AssetType.STOCK, active_only=False) == [AAPL, VOD]

    def test_put_of_nothing_changes_nothing(self, store: Store):
        """Empty input is not an error."""
        store.put_assets([])
        store.put_quotes([])
        assert store.assets(active_only=False) == []
        assert store.remove_assets([]) == 0

    def test_remove_assets_removes_their_data_and_counts_once(self, store: Store):
        """Removing an asset removes its quote, bars and indicators. Removing it again removes nothing."""
        store.put_assets([BTC, AAPL])
        store.put_quotes([quote("BTC-USD"), quote("AAPL")])
        store.put_bars([bars("BTC-USD", [1])])
        store.put_indicators([indicators("BTC-USD")])
        assert store.remove_assets(["BTC-USD", "NONE"]) == 1
        assert store.remove_assets(["BTC-USD"]) == 0
        assert [asset.symbol for asset in store.assets()] == ["AAPL"]
        assert list(store.quotes()) == ["AAPL"]
        assert store.bars(["BTC-USD"]) == {}
        assert store.indicators() == {}
        assert store.indicator_series("BTC-USD") is None

    def test_reconcile_assets_replaces_declared_assets_only(self, store: Store):
        """Declared assets follow the file, and manually added assets remain."""
        store.put_assets([VOD])
        assert store.reconcile_assets([BTC, AAPL]) == (2, 0)
        assert store.reconcile_assets([replace(BTC, name="bitcoin")]) == (1, 1)
        assert store.assets(active_only=False) == [replace(BTC, name="bitcoin", declared=True), VOD]

    def test_reconcile_assets_with_an_unchanged_file_writes_nothing(self, store: Store):
        """An unchanged file changes nothing."""
        store.reconcile_assets([BTC, AAPL])
        assert store.reconcile_assets([BTC, AAPL]) == (0, 0)

    def test_declared_set_of_equal_assets_is_equal_and_later(self, store: Store):
        """The record identifies the assets in any order, and its time never decreases."""
        assert store.declared_set() is None
        records = []
        for declared in ([BTC, AAPL], [AAPL, BTC], [BTC], [replace(BTC, name="bitcoin")]):
            store.reconcile_assets(declared)
            records.append(store.declared_set())
        digests = [record.digest for record in records if record]
        assert digests[0] == digests[1]
        assert len(set(digests)) == 3
        times = [record.at for record in records if record]
        assert times == sorted(times)


class QuotesContract:
    """Properties of quotes."""

    def test_quotes_returns_stored_quotes(self, store: Store):
        """Every field of a quote is returned unchanged, including every digit of the price."""
        full = quote(
            "VOD.L",
            "0.000000012345678901",
            currency="GBP",
            provider="simulated/yahoo",
            upstream_at=T0 - 60.25,
            change_percent=Decimal("-1.50"),
            volume=Decimal("1E+3"),
            quality=Quality.CORRECTED,
            note="GBp → GBP",
        )
        bare = quote("BTC-USD", "65000.10", upstream_at=None)
        store.put_quotes([full, bare])
        assert store.quotes() == {"VOD.L": full, "BTC-USD": bare}
        assert str(store.quotes(["BTC-USD"])["BTC-USD"].price) == "65000.10"

    def test_quotes_of_unknown_symbols_are_left_out(self, store: Store):
        """Symbols without a quote are left out and are not an error."""
        store.put_quotes([quote("AAPL")])
        assert list(store.quotes(["NONE", "AAPL"])) == ["AAPL"]
        assert store.quotes([]) == {}

    def test_put_quotes_with_an_older_quote_keeps_the_newer_one(self, store: Store):
        """The upstream's timestamp decides, regardless of the order of arrival."""
        newer, older = quote(price="2", upstream_at=T0 + 1, fetched_at=T0 + 2), quote(price="1", fetched_at=T0)
        store.put_quotes([newer, older])
        store.put_quotes([older])
        assert store.quotes() == {"BTC-USD": newer}

    def test_put_quotes_with_a_later_fetch_time_replaces_the_quote(self, store: Store):
        """While a market is closed, the fetch time still advances."""
        store.put_quotes([quote(upstream_at=T0, fetched_at=T0 + 10)])
        later = quote(upstream_at=T0, fetched_at=T0 + 20)
        store.put_quotes([later])
        assert store.quotes() == {"BTC-USD": later}

    def test_put_quotes_after_a_quote_from_the_future_replaces_it(self, store: Store):
        """An upstream timestamp in the future counts as the fetch time, so later quotes replace the quote."""
        store.put_quotes([quote(upstream_at=T0 + 1e6, fetched_at=T0)])
        following = quote(price="3", upstream_at=T0 + 60, fetched_at=T0 + 61)
        store.put_quotes([following])
        assert store.quotes() == {"BTC-USD": following}

    def test_put_quotes_after_a_quote_of_a_wrong_clock_replaces_it(self, store: Store):
        """A stored quote that was fetched over an hour after the new one has a wrong time and does not stay (D13)."""
        store.put_quotes([quote(price="1", fetched_at=T0 + 3_600)])
        store.put_quotes([quote(price="2", fetched_at=T0)])
        assert store.quotes()["BTC-USD"].price == 1
        store.put_quotes([quote(price="2", fetched_at=T0 - 1)], replaced={"BTC-USD"})
        assert store.quotes()["BTC-USD"].price == 2

    def test_put_quotes_of_a_replaced_symbol_compares_fetch_times_only(self, store: Store):
        """The upstream's time of a wrong price does not protect it, but a quote with a later fetch time stays."""
        store.put_quotes([quote(price="100", upstream_at=T0 + 50, fetched_at=T0 + 60)])
        right = quote(price="1", upstream_at=T0 - 3_600, fetched_at=T0 + 61)
        store.put_quotes([right])
        assert store.quotes()["BTC-USD"].price == 100
        store.put_quotes([quote(price="2", fetched_at=T0 + 59), quote("AAPL")], replaced={"BTC-USD"})
        assert store.quotes()["BTC-USD"].price == 100
        store.put_quotes([right], replaced={"BTC-USD"})
        assert store.quotes()["BTC-USD"] == right
        assert "AAPL" in store.quotes()

    def test_quotes_fetched_at_returns_fetch_times(self, store: Store):
        """Fetch times are exact to the microsecond, regardless of upstream timestamps. Unknown symbols are left out."""
        early = quote("AAPL", fetched_at=T0 + 0.125, upstream_at=T0 - 3_600)
        late = quote("BTC-USD", fetched_at=T0 + 1, upstream_at=T0 + 1e6)
        unknown = quote("VOD.L", fetched_at=T0 + 2, upstream_at=None)
        store.put_quotes([early, late, unknown])
        assert store.quotes_fetched_at(["NONE", "VOD.L", "AAPL", "BTC-USD"]) == {
            "AAPL": T0 + 0.125,
            "BTC-USD": T0 + 1,
            "VOD.L": T0 + 2,
        }
        assert store.quotes_fetched_at([]) == {}
        assert store.quotes_fetched_at(["NONE"]) == {}

    @pytest.mark.parametrize("count", [499, 500, 501, 1_001])
    def test_quotes_fetched_at_for_several_batches_is_complete(self, store: Store, count: int):
        """No symbol is lost at the border between two batches."""
        store.put_quotes(quote(f"S{number}", fetched_at=T0 + number) for number in range(count))
        expected = {f"S{number}": T0 + number for number in range(count)}
        assert store.quotes_fetched_at([*expected, "NONE"]) == expected

    def test_put_quotes_for_several_batches_stores_all(self, store: Store):
        """All of 2,000 quotes are stored."""
        many = [quote(f"S{number}", str(number + 1)) for number in range(2_000)]
        store.put_quotes(many)
        assert store.quotes() == {record.symbol: record for record in many}


class DisputesContract:
    """Properties of disputes."""

    def test_disputes_returns_stored_disputes(self, store: Store):
        """Every field of a dispute is returned unchanged."""
        claims = {
            "binance": Claim(Decimal("0.14"), T0, T0 - 1.5, T0 + 120),
            "simulated/kraken": Claim(Decimal("0.000000000012345"), T0 + 1, T0 + 1, T0 + 60.25),
        }
        full = Dispute(T0, claims, quote(quality=Quality.CORRECTED, note="GBp → GBP"), T0 + 120)
        bare = Dispute(T0, {}, None, 0.0)
        store.put_disputes({"BTC-USD": full, "AAPL": bare})
        assert store.disputes() == {"BTC-USD": full, "AAPL": bare}

    def test_put_disputes_with_none_ends_the_dispute(self, store: Store):
        """A dispute that is None is deleted, and others remain. An empty mapping is not an error."""
        dispute = Dispute(T0, {}, None, T0)
        store.put_disputes({"BTC-USD": dispute, "AAPL": dispute})
        store.put_disputes({"BTC-USD": None, "NONE": None})
        store.put_disputes({})
        assert list(store.disputes()) == ["AAPL"]

    def test_remove_assets_removes_their_disputes(self, store: Store):
        """A dispute ends with its asset."""
        store.put_assets([BTC])
        store.put_disputes({"BTC-USD": Dispute(T0, {}, None, T0)})
        store.remove_assets(["BTC-USD"])
        assert store.disputes() == {}


class BarsContract:
    """Properties of bars."""

    def test_bars_returns_stored_bars(self, store: Store):
        """Every column is returned bit for bit for each stored symbol."""
        many = [bars(f"S{number}", range(20_000, 20_005), number) for number in range(250)]
        store.put_bars(many)
        assert store.bars([*(record.symbol for record in many), "NONE"]) == {record.symbol: record for record in many}

    @pytest.mark.parametrize(
        ("new_days", "expected"),
        [
            pytest.param([13, 14], {10: 1, 11: 1, 12: 1, 13: 2, 14: 2}, id="appended"),
            pytest.param([12, 13], {10: 1, 11: 1, 12: 2, 13: 2}, id="overlapping"),
            pytest.param([11], {10: 1, 11: 2, 12: 1}, id="corrected in the middle"),
            pytest.param([8, 9], {8: 2, 9: 2, 10: 1, 11: 1, 12: 1}, id="before"),
            pytest.param([9, 11, 20], {9: 2, 10: 1, 11: 2, 12: 1, 20: 2}, id="woven in"),
            pytest.param([], {10: 1, 11: 1, 12: 1}, id="nothing"),
        ],
    )
    def test_put_bars_merges_by_day(self, store: Store, new_days: list[int], expected: dict[int, int]):
        """The union of the days is stored, and the new bar replaces a stored bar of the same day."""
        store.put_bars([bars("AAPL", [10, 11, 12], level=1)])
        store.put_bars([bars("AAPL", new_days, level=2)])
        stored = store.bars(["AAPL"])["AAPL"]
        assert {day: int(price) for day, price in zip(stored.days, stored.open, strict=True)} == expected
        assert list(stored.days) == sorted(expected)

    @pytest.mark.parametrize(
        ("first_day", "new_days", "expected"),
        [
            pytest.param(0, [11, 13], {11: 2, 13: 2}, id="the whole history"),
            pytest.param(11, [12], {10: 1, 12: 2}, id="from a day on"),
            pytest.param(11, [11, 12, 13], {10: 1, 11: 2, 12: 2, 13: 2}, id="with a new day"),
            pytest.param(99, [13], {10: 1, 11: 1, 12: 1, 13: 2}, id="after all stored bars"),
            pytest.param(0, [], {10: 1, 11: 1, 12: 1}, id="nothing"),
        ],
    )
    def test_put_bars_from_a_first_day_replaces_all_later_bars(
        self, store: Store, first_day: int, new_days: list[int], expected: dict[int, int]
    ):
        """Stored bars from the first day on are removed, even on days without a new bar. Empty bars remove none."""
        store.put_bars([bars("AAPL", [10, 11, 12], level=1), bars("BTC-USD", [10, 11], level=1)])
        store.put_bars([bars("AAPL", new_days, level=2)], first_days={"AAPL": first_day})
        stored = store.bars(["AAPL"])["AAPL"]
        assert {day: int(price) for day, price in zip(stored.days, stored.open, strict=True)} == expected
        assert list(store.bars(["BTC-USD"])["BTC-USD"].days) == [10, 11]

    def test_full_reads_are_stored_until_they_are_requested_again(self, store: Store):
        """A symbol whose whole history must be read has no full read in the store."""
        reads = {"AAPL": FullRead(T0, T0 + 5), "BTC-USD": FullRead(T0 + 1, T0 + 6)}
        store.put_full_reads(reads)
        assert store.full_reads(["AAPL", "BTC-USD", "NONE"]) == reads
        store.request_full_reads(["AAPL", "NONE"])
        assert store.full_reads(["AAPL", "BTC-USD"]) == {"BTC-USD": reads["BTC-USD"]}
        store.put_full_reads({})
        store.request_full_reads([])
        assert store.full_reads([]) == {}

    def test_remove_assets_removes_their_full_reads(self, store: Store):
        """An asset that is added again has no full read."""
        store.put_assets([BTC])
        store.put_full_reads({"BTC-USD": FullRead(T0, T0)})
        store.remove_assets(["BTC-USD"])
        assert store.full_reads(["BTC-USD"]) == {}

    def test_put_bars_with_two_parts_of_a_symbol_merges_them(self, store: Store):
        """Two sets of bars for one symbol in one call are merged in order."""
        store.put_bars([bars("AAPL", [1, 2], 1), bars("AAPL", [2, 3], 2)])
        assert [int(price) for price in store.bars(["AAPL"])["AAPL"].open] == [1, 2, 2]

    def test_bars_have_the_provider_of_the_newest_bar(self, store: Store):
        """A correction of older days does not change the provider of the bars."""
        store.put_bars([bars("AAPL", [5, 6], provider="yahoo")])
        store.put_bars([bars("AAPL", [5], provider="kraken")])
        assert store.bars(["AAPL"])["AAPL"].provider == "yahoo"

    def test_last_days_returns_the_newest_day_of_symbols_with_bars(self, store: Store):
        """The newest day is returned for each symbol that has bars, and for no other."""
        store.put_bars([bars("AAPL", [1, 2]), bars("BTC-USD", [7]), bars("EMPTY", [])])
        assert store.last_days(["AAPL", "BTC-USD", "EMPTY", "NONE"]) == {"AAPL": 2, "BTC-USD": 7}
        assert store.last_days([]) == {}
        assert store.bars([]) == {}


class IndicatorsContract:
    """Properties of indicators."""

    def test_indicators_leave_out_undefined_values(self, store: Store):
        """The newest value of each output is returned with its origin unless it is NaN or infinite."""
        store.put_indicators([indicators(rsi_14=[1.0, 55.5], sma_200=[nan, nan], obv=[1.0, inf])])
        newest = IndicatorValues("BTC-USD", "talib", T0, 20_010, {"rsi_14": 55.5})
        assert store.indicators() == {"BTC-USD": newest}
        assert store.indicators(["NONE", "BTC-USD"]) == {"BTC-USD": newest}
        assert store.indicators([]) == {}

    def test_indicator_series_returns_stored_series(self, store: Store):
        """Engine, window, days and every value are returned unchanged, including NaN."""
        put = indicators(rsi_14=[nan, 55.5], macd=[0.1, -0.0])
        store.put_indicators([put])
        read = store.indicator_series("BTC-USD")
        assert read is not None
        assert replace(read, series={}) == replace(put, series={})
        assert {name: values.tobytes() for name, values in read.series.items()} == {
            name: values.tobytes() for name, values in put.series.items()
        }
        assert store.indicator_series("NONE") is None

    def test_put_indicators_replaces_all_outputs(self, store: Store):
        """No output of an earlier run remains after a later one."""
        store.put_indicators([indicators(rsi_14=[1.0])])
        store.put_indicators([indicators(macd=[2.0])])
        assert store.indicators()["BTC-USD"].values == {"macd": 2.0}

    def test_indicators_computed_at_returns_the_newest_times(self, store: Store):
        """The newest computation time is returned. Unknown symbols are left out."""
        store.put_indicators([indicators("AAPL"), replace(indicators("BTC-USD"), computed_at=T0 + 0.5)])
        store.put_indicators([replace(indicators("AAPL"), computed_at=T0 + 60)])
        assert store.indicators_computed_at(["BTC-USD", "NONE", "AAPL"]) == {"AAPL": T0 + 60, "BTC-USD": T0 + 0.5}
        assert store.indicators_computed_at([]) == {}

    @pytest.mark.parametrize("count", [499, 500, 501, 1_001])
    def test_indicators_computed_at_for_several_batches_is_complete(self, store: Store, count: int):
        """No symbol is lost at the border between two batches."""
        store.put_indicators(replace(indicators(f"S{number}"), computed_at=T0 + number) for number in range(count))
        expected = {f"S{number}": T0 + number for number in range(count)}
        assert store.indicators_computed_at([*expected, "NONE"]) == expected


class NewsContract:
    """Properties of news."""

    def test_news_returns_the_newest_first_up_to_the_limit(self, store: Store):
        """Stored news items are returned unchanged and newest first, up to the limit."""
        old, new = news("1", "Copper falls", T0 - 9), news("2", "Gold rises", T0, "XAU-USD", guid="7")
        assert store.put_news([old, new]) == 2
        assert store.news() == [new, old]
        assert store.news(limit=1) == [new]
        assert store.news(limit=0) == []
        assert store.news(until=T0 - 1) == [old]
        assert store.news(until=T0 - 9, limit=1) == [old]

    def test_news_of_an_asset_contains_only_linked_items(self, store: Store):
        """An asset's news contains exactly the items that are linked to it."""
        both = news("1", "Apple pays in bitcoin", T0, "AAPL", "BTC-USD")
        bitcoin_only = news("2", "Bitcoin mining is back", T0 - 5, "BTC-USD")
        store.put_news([both, bitcoin_only, news("3", "Tea is hot")])
        assert store.news("BTC-USD") == [both, bitcoin_only]
        assert store.news("AAPL") == [both]
        assert store.news("NONE") == []

    @pytest.mark.parametrize(
        ("second", "reason"),
        [
            pytest.param(news("other", "Quite another title", guid="g1"), "known-guid", id="same guid and date"),
            pytest.param(news("b", SURGE, T0 + DAY_SECONDS, guid="g1"), "known-guid", id="same guid and title"),
            pytest.param(news("b", "Quite another title", T0 + 60, guid="g1"), "", id="guid of many articles"),
            pytest.param(news("other", "Quite another title", guid="g1", source="Else"), "", id="guid of another feed"),
            pytest.param(news("a", "Quite another title", guid="g2"), "known-link", id="same URL"),
            pytest.param(news("b", f"{SURGE.upper()}!", T0 + STORY_WINDOW), "same-title", id="same title on one day"),
            pytest.param(news("b", f"UPDATE 1-{SURGE} - Reuters"), "same-title", id="tag and publisher"),
            pytest.param(news("b", SURGE.replace("surge", "are surging")), "near-equal-title", id="inflection"),
            pytest.param(news("b", SURGE, T0 + STORY_WINDOW + 1), "", id="same title on another day"),
            pytest.param(news("b", SURGE.replace("70", "80")), "", id="another number"),
            pytest.param(news("b", SURGE.replace("surge", "shrink")), "", id="another direction"),
            pytest.param(news("b", SURGE, T0, "BTC-USD"), "", id="other assets"),
            pytest.param(news("b", "Ether slides while ETF outflows grow"), "", id="another story"),
        ],
    )
    def test_put_news_with_a_duplicate_stores_it_once(self, store: Store, second: NewsItem, reason: str):
        """N5, N7: a duplicate is found by its link, guid or title, and is counted by that reason."""
        first = news("a", SURGE, guid="g1")
        dropped = DroppedNews()
        assert store.put_news([first], dropped=dropped) == 1
        assert store.put_news([second], dropped=dropped) == int(not reason)
        assert dropped.counts == ({reason: 1} if reason else {})
        assert store.put_news([first, second], dropped=dropped) == 0
        assert dropped.counts.total() == 2 + bool(reason)
        assert len(store.news()) == 1 + (not reason)

    def test_put_news_with_a_duplicate_in_one_call_stores_it_once(self, store: Store):
        """The same story from two feeds is stored once if both are read in one run."""
        assert store.put_news([news("a", "Oil jumps on supply fears"), news("b", "Oil jumps on supply fears")]) == 1

    def test_put_news_with_old_items_stores_only_those_within_the_retention(self, store: Store):
        """N14: an item that the next cleanup would delete is not stored, and is counted as too old in each fetch."""
        dropped = DroppedNews()
        old, edge = news("1", "Old hat", T0 - 1), news("2", "Brand new", T0)
        assert store.put_news([old, edge], oldest=T0, dropped=dropped) == 1
        assert store.put_news([old, edge], oldest=T0, dropped=dropped) == 0
        assert dropped.counts == {"too-old": 2, "known-link": 1}

    def test_put_news_again_after_each_cleanup_stores_nothing(self, store: Store):
        """N14: an undated entry that a feed keeps for months is new only once, although the cleanup deletes it."""
        new = 0
        for day in range(120):
            now = T0 + day * DAY_SECONDS
            new += store.put_news([replace(news("1", "Welcome to our news"), published_at=now, fetched_at=now)])
            store.drop_older(
                quotes_before=0,
                history_before_day=0,
                bars_before_day=0,
                news_before=now - WEEK,
                quarantine_before=0,
                dry_run=False,
            )
        assert new == 1
        assert store.news() == []


class QuarantineContract:
    """Properties of the quarantine and of freshness."""

    def test_quarantined_returns_the_newest_first(self, store: Store):
        """Each asset has its own record. The newest rejection comes first, and long texts are truncated."""
        first = Quarantined("quote", "AAPL", "yahoo", "jump: +9900 % against 1.02", '{"c": 102}', T0, T0)
        second = replace(first, symbol="VOD.L", at=T0 + 0.125, first_at=T0 + 0.125)
        long = replace(second, reason="jump: " + "é" * REASON_LIMIT, payload="é" * (PAYLOAD_LIMIT + 1))
        store.put_quarantined([replace(first, first_at=None)])
        store.put_quarantined([replace(long, first_at=None)])
        shown = replace(second, reason=long.reason[:REASON_LIMIT], payload="é" * PAYLOAD_LIMIT)
        assert store.quarantined() == [shown, first]
        assert store.quarantined(limit=1) == [shown]
        assert store.quarantined(limit=0) == []
        assert store.quarantined(until=first.at) == [first]

    def test_put_quarantined_for_the_same_reason_counts_in_one_record(self, store: Store):
        """A dead asset has one record, with the first and last time, the number, and the newest text (D12)."""
        record = Quarantined("quote", "DEAD-USD", "binance", "not-found: poll 0", "0", T0)
        for poll in range(31):
            store.put_quarantined([replace(record, reason=f"not-found: poll {poll}", payload=str(poll), at=T0 + poll)])
        assert store.quarantined() == [
            Quarantined("quote", "DEAD-USD", "binance", "not-found: poll 30", "30", T0 + 30, first_at=T0, count=31)
        ]

    @pytest.mark.parametrize(
        "other",
        [{"kind": "bar"}, {"symbol": "OLD-USD"}, {"provider": "kraken"}, {"reason": "jump: +9900 %"}, {"reason": "?"}],
    )
    def test_put_quarantined_with_another_key_adds_a_record(self, store: Store, other: dict[str, str]):
        """Rejections that differ in kind, symbol, provider or class of reason have separate records (D12)."""
        record = Quarantined("quote", "DEAD-USD", "binance", "not-found: unknown", "", T0)
        store.put_quarantined([record, replace(record, **other), record])  # type: ignore[arg-type]
        assert sorted(each.count for each in store.quarantined()) == [1, 2]

    @pytest.mark.parametrize("parts", [1, 2, 5])
    @pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1], [1, 1, 0, 4, 4]])
    def test_put_quarantined_in_any_order_and_parts_keeps_first_last_and_count(
        self, store: Store, order: list[int], parts: int
    ):
        """The record is the same no matter in which order and in how many calls the rejections arrive (D12)."""
        record = Quarantined("bar", "AAPL", "yahoo", "unit: ×100", "", T0)
        rejections = [replace(record, reason=f"unit: at {at}", at=T0 + at) for at in order]
        for part in range(parts):
            store.put_quarantined(rejections[part::parts])
        assert store.quarantined() == [
            replace(record, reason="unit: at 4", at=T0 + 4, first_at=T0, count=len(order)),
        ]

    def test_quarantined_with_filters_returns_only_matching_records(self, store: Store):
        """Records can be selected by kind and by symbol, which may be in lower case, for listing and for deletion."""
        record = Quarantined("quote", "AAPL", "yahoo", "jump: up", "", T0)
        bar = replace(record, kind="bar", at=T0 + 1)
        feed = replace(record, kind="news", symbol="https://a.b/|c", at=T0 + 2)
        store.put_quarantined([record, bar, feed])
        assert [each.kind for each in store.quarantined(symbol="aapl")] == ["bar", "quote"]
        assert [each.symbol for each in store.quarantined(kind="news")] == ["https://a.b/|c"]
        assert [each.symbol for each in store.quarantined(symbol="https://a.b/|c")] == ["https://a.b/|c"]
        assert store.quarantined(kind="bar", symbol="VOD.L") == []
        assert store.clear_quarantined(kind="bar", symbol="AAPL") == 1
        assert [each.kind for each in store.quarantined()] == ["news", "quote"]
        assert store.clear_quarantined() == 2
        assert store.quarantined() == []

    def test_put_quarantined_beyond_the_limit_keeps_the_last_of_each_kind(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ):
        """Too many records of one kind displace the oldest records of this kind, and none of another kind (D12)."""
        for module in (quarantine, memory_store):
            monkeypatch.setattr(module, "QUARANTINE_LIMIT", 20)
        rare = Quarantined("news", "Wire", "rss", "malformed: not XML", "", T0 - 100)
        record = Quarantined("quote", "S", "yahoo", "negative: -1", "-1", T0)
        store.put_quarantined([rare, replace(record, symbol="KEPT", at=T0 + 500)])
        store.put_quarantined(replace(record, symbol=f"S{number}", at=T0 + number) for number in range(330))
        assert [each.symbol for each in store.quarantined(kind="quote")] == [
            "KEPT",
            *(f"S{number}" for number in range(329, 310, -1)),
        ]
        assert [each.symbol for each in store.quarantined(kind="news")] == ["Wire"]

    def test_put_quarantined_of_many_dead_assets_keeps_the_records_for_other_reasons(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ):
        """The most frequent class of reason loses its oldest records, and records of other classes stay (D12)."""
        for module in (quarantine, memory_store):
            monkeypatch.setattr(module, "QUARANTINE_LIMIT", 20)
        dead = Quarantined("quote", "S", "kraken", "not-found: unknown pair", "", T0)
        others = [replace(dead, symbol="JUMP", reason="jump: +9900 %"), replace(dead, symbol="ODD", reason="?")]
        for poll in range(3):
            at = T0 + poll
            store.put_quarantined([replace(other, at=T0 - 100) for other in others] if not poll else [])
            store.put_quarantined(replace(dead, symbol=f"DEAD{number}", at=at) for number in range(330))
        found = store.quarantined()
        assert len(found) == 20
        assert {each.symbol for each in found} >= {"JUMP", "ODD"}

    def test_last_success_is_per_dataset_and_provider(self, store: Store):
        """The last success is stored separately for each pair of dataset and provider."""
        store.mark_success("quotes:crypto", "simulated/binance", T0)
        store.mark_success("quotes:crypto", "kraken", T0 + 1.5)
        store.mark_success("quotes:crypto", "simulated/binance", T0 + 2)
        assert store.last_success() == {
            ("quotes:crypto", "simulated/binance"): T0 + 2,
            ("quotes:crypto", "kraken"): T0 + 1.5,
        }


class RetentionContract:
    """The retention behavior that every store must have."""

    LIMITS: ClassVar = {
        "quotes_before": T0,
        "history_before_day": 0,
        "bars_before_day": 20_000,
        "news_before": T0,
        "quarantine_before": T0,
    }

    def fill(self, store: Store) -> None:
        """Store one record of each kind on either side of the limits."""
        store.put_quotes([quote("OLD", fetched_at=T0 - 1), quote("EDGE", fetched_at=T0)])
        store.put_bars([bars("OLD", range(19_990, 19_995)), bars("BOTH", range(19_998, 20_003)), bars("NEW", [20_000])])
        store.put_indicators([indicators("OLD", last_day=19_999), indicators("NEW", last_day=20_000)])
        store.put_news([news("1", "Old hat", T0 - 1, "AAPL", guid="1"), news("2", "Brand new", T0, "AAPL")])
        rejected = Quarantined("quote", "OLD", "yahoo", "jump: up", "", T0 - 1)
        store.put_quarantined([rejected, replace(rejected, symbol="EDGE", at=T0)])

    def test_drop_older_drops_only_records_past_the_limits(self, store: Store):
        """Records older than the limit are dropped, and records at the limit remain."""
        self.fill(store)
        counts = store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        assert counts == {"quotes": 1, "history": 0, "bars": 7, "indicators": 1, "news": 1, "quarantine": 1}
        assert list(store.quotes()) == ["EDGE"]
        assert {symbol: list(stored.days) for symbol, stored in store.bars(["OLD", "BOTH", "NEW"]).items()} == {
            "BOTH": [20_000, 20_001, 20_002],
            "NEW": [20_000],
        }
        assert list(store.indicators()) == ["NEW"]
        assert store.indicator_series("OLD") is None
        assert [item.title for item in store.news("AAPL")] == ["Brand new"]
        assert [record.symbol for record in store.quarantined()] == ["EDGE"]

    def test_drop_older_twice_drops_nothing_more(self, store: Store):
        """The cleanup is idempotent."""
        self.fill(store)
        store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        again = store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        assert set(again.values()) == {0}

    def test_drop_older_in_a_dry_run_only_counts(self, store: Store):
        """A dry run returns the counts of a real run and changes nothing."""
        self.fill(store)
        counts = store.drop_older(**self.LIMITS, dry_run=True)  # type: ignore[arg-type]
        assert len(store.quotes()) == 2
        assert len(store.news()) == 2
        assert len(store.quarantined()) == 2
        assert counts == store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]

    def test_put_news_after_drop_older_stores_no_known_item(self, store: Store):
        """N14: a news item that the cleanup deleted is not new again."""
        self.fill(store)
        store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        assert store.put_news([news("1", "Old hat", T0 - 1, "AAPL", guid="1")]) == 0

    def test_drop_older_for_several_batches_drops_all(self, store: Store):
        """The cleanup continues until no old record is left."""
        store.put_quotes(quote(f"S{number}", fetched_at=T0 - 1) for number in range(1_200))
        store.put_news(news(str(number), f"Story number {number}", T0 - 1) for number in range(1_200))
        store.put_bars(bars(f"S{number}", [1, 2]) for number in range(250))
        rejected = Quarantined("quote", "", "yahoo", "jump: up", "", T0 - 1)
        store.put_quarantined(replace(rejected, symbol=f"S{number}") for number in range(1_200))
        counts = store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        kinds = {"quotes": 1_200, "history": 0, "bars": 500, "indicators": 0, "news": 1_200, "quarantine": 1_200}
        assert counts == kinds
        assert store.quotes() == {}
        assert store.news() == []
        assert store.quarantined() == []


class StoreContract(
    AssetsContract,
    QuotesContract,
    HistoryContract,
    DisputesContract,
    BarsContract,
    IndicatorsContract,
    NewsContract,
    QuarantineContract,
    RetentionContract,
):
    """All properties of a store. A subclass needs a fixture `store`."""
