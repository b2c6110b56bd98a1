"""The laws that every store keeps; `tests/unit` runs them on `MemoryStore`, `tests/integration` on a real Redis."""

from array import array
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from math import inf, nan
from typing import ClassVar

import pytest

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import (
    PAYLOAD_LIMIT,
    Asset,
    AssetType,
    Bars,
    Indicators,
    IndicatorValues,
    NewsItem,
    Quality,
    Quarantined,
    Quote,
)
from financehub_shared.market.news_text import news_id
from financehub_shared.market.port import QUARANTINE_LIMIT, Store

T0 = 1_800_000_000.0
WEEK_ON = T0 + 7 * DAY_SECONDS
BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin", provider_symbols={"kraken": "XBTUSD"})
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
VOD = Asset("VOD.L", AssetType.STOCK, "Vodafone — plc", currency="GBP", active=False)


def quote(symbol: str = "BTC-USD", price: str = "65000.10", fetched_at: float = T0, **more: object) -> Quote:
    """A quote with the usual fields filled."""
    fields: dict[str, object] = {"currency": "USD", "upstream_at": fetched_at, "provider": "binance"} | more
    return Quote(symbol=symbol, price=Decimal(price), fetched_at=fetched_at, **fields)  # type: ignore[arg-type]


def bars(symbol: str, days: Iterable[int], level: float = 100.0, provider: str = "binance") -> Bars:
    """Bars whose prices tell day and level apart."""
    day_column = array("i", days)
    prices = [array("d", (level + day / 1_000 + shift for day in day_column)) for shift in (0.0, 0.5, -0.5, 0.25)]
    return Bars(symbol, provider, day_column, *prices, array("d", [1e9] * len(day_column)))


def indicators(symbol: str = "BTC-USD", last_day: int = 20_010, **series: list[float]) -> Indicators:
    """Ten days of one output, unless told otherwise."""
    columns = {name: array("d", values) for name, values in (series or {"rsi_14": [nan] * 9 + [55.5]}).items()}
    length = len(next(iter(columns.values())))
    days = array("i", range(last_day - length + 1, last_day + 1))
    return Indicators(symbol, "talib", T0, 19_000, last_day, 500, days, columns)


def news(path: str, title: str, at: float = T0, *assets: str, guid: str = "", source: str = "Wire") -> NewsItem:
    """An article at example.com."""
    url = f"https://example.com/{path}"
    return NewsItem(news_id(url), title, url, source, at, T0, "rss", guid, assets)


class AssetsContract:
    """Laws of assets."""

    def test_assets_come_back_as_they_were_put_sorted_by_symbol(self, store: Store):
        """What is put is what is read, field by field, in the order of symbols."""
        store.put_assets([BTC, VOD, AAPL])
        assert store.assets(active_only=False) == [AAPL, BTC, VOD]

    def test_assets_filter_by_type_and_activity(self, store: Store):
        """Only active assets of the asked type are listed unless inactive ones are asked for."""
        store.put_assets([BTC, VOD, AAPL])
        assert store.assets() == [AAPL, BTC]
        assert store.assets(AssetType.STOCK) == [AAPL]
        assert store.assets(AssetType.STOCK, active_only=False) == [AAPL, VOD]

    def test_putting_nothing_changes_nothing(self, store: Store):
        """Empty input is no error."""
        store.put_assets([])
        store.put_quotes([])
        assert store.assets(active_only=False) == []
        assert store.remove_assets([]) == 0

    def test_removing_an_asset_forgets_its_data_and_counts_it_once(self, store: Store):
        """An asset takes its quote, bars and indicators with it; removing it again removes nothing."""
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

    def test_reconciling_makes_the_declared_assets_exactly_the_given_ones(self, store: Store):
        """Declared assets follow the file; those added by hand stay."""
        store.put_assets([VOD])
        assert store.reconcile_assets([BTC, AAPL]) == (2, 0)
        assert store.reconcile_assets([replace(BTC, name="bitcoin")]) == (1, 1)
        assert store.assets(active_only=False) == [replace(BTC, name="bitcoin", declared=True), VOD]

    def test_reconciling_twice_writes_nothing(self, store: Store):
        """An unchanged file changes nothing."""
        store.reconcile_assets([BTC, AAPL])
        assert store.reconcile_assets([BTC, AAPL]) == (0, 0)


class QuotesContract:
    """Laws of quotes."""

    def test_quotes_come_back_as_they_were_put(self, store: Store):
        """Every field survives, prices digit by digit."""
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

    def test_absent_quotes_are_left_out(self, store: Store):
        """Asking for what is not there gives nothing, not an error."""
        store.put_quotes([quote("AAPL")])
        assert list(store.quotes(["NONE", "AAPL"])) == ["AAPL"]
        assert store.quotes([]) == {}

    def test_an_older_quote_never_replaces_a_newer_one(self, store: Store):
        """The upstream's time decides, whatever the order of arrival."""
        newer, older = quote(price="2", upstream_at=T0 + 1, fetched_at=T0 + 2), quote(price="1", fetched_at=T0)
        store.put_quotes([newer, older])
        store.put_quotes([older])
        assert store.quotes() == {"BTC-USD": newer}

    def test_the_same_upstream_time_fetched_later_replaces(self, store: Store):
        """While a market is closed the fetch time still moves on."""
        store.put_quotes([quote(upstream_at=T0, fetched_at=T0 + 10)])
        later = quote(upstream_at=T0, fetched_at=T0 + 20)
        store.put_quotes([later])
        assert store.quotes() == {"BTC-USD": later}

    def test_an_upstream_time_in_the_future_does_not_lock_out_what_follows(self, store: Store):
        """A clock gone wrong upstream counts as the fetch time."""
        store.put_quotes([quote(upstream_at=T0 + 1e6, fetched_at=T0)])
        following = quote(price="3", upstream_at=T0 + 60, fetched_at=T0 + 61)
        store.put_quotes([following])
        assert store.quotes() == {"BTC-USD": following}

    def test_the_time_of_a_quote_is_when_it_was_fetched(self, store: Store):
        """The fetch time counts, to the microsecond and whatever the upstream's time; absent quotes are left out."""
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
    def test_the_times_of_more_quotes_than_a_batch_are_all_told(self, store: Store, count: int):
        """No symbol is lost where one batch ends and the next begins."""
        store.put_quotes(quote(f"S{number}", fetched_at=T0 + number) for number in range(count))
        expected = {f"S{number}": T0 + number for number in range(count)}
        assert store.quotes_fetched_at([*expected, "NONE"]) == expected

    def test_more_quotes_than_a_batch_are_all_kept(self, store: Store):
        """2,000 quotes are stored whole."""
        many = [quote(f"S{number}", str(number + 1)) for number in range(2_000)]
        store.put_quotes(many)
        assert store.quotes() == {each.symbol: each for each in many}


class BarsContract:
    """Laws of bars."""

    def test_bars_come_back_as_they_were_put(self, store: Store):
        """Every column survives bit by bit, for every symbol that was put."""
        many = [bars(f"S{number}", range(20_000, 20_005), number) for number in range(250)]
        store.put_bars(many)
        assert store.bars([*(each.symbol for each in many), "NONE"]) == {each.symbol: each for each in many}

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
    def test_bars_are_merged_by_day(self, store: Store, new_days: list[int], expected: dict[int, int]):
        """The union of the days is kept, and where both have a day the new bar wins."""
        store.put_bars([bars("AAPL", [10, 11, 12], level=1)])
        store.put_bars([bars("AAPL", new_days, level=2)])
        stored = store.bars(["AAPL"])["AAPL"]
        assert {day: int(price) for day, price in zip(stored.days, stored.open, strict=True)} == expected
        assert list(stored.days) == sorted(expected)

    def test_two_pieces_of_one_symbol_in_one_call_are_both_kept(self, store: Store):
        """Pieces given together are merged in their order."""
        store.put_bars([bars("AAPL", [1, 2], 1), bars("AAPL", [2, 3], 2)])
        assert [int(price) for price in store.bars(["AAPL"])["AAPL"].open] == [1, 2, 2]

    def test_the_provider_is_that_of_the_newest_bar(self, store: Store):
        """A correction of old days does not claim the series."""
        store.put_bars([bars("AAPL", [5, 6], provider="yahoo")])
        store.put_bars([bars("AAPL", [5], provider="kraken")])
        assert store.bars(["AAPL"])["AAPL"].provider == "yahoo"

    def test_last_days_tell_the_newest_day(self, store: Store):
        """The newest day is known for each symbol that has bars, and no other."""
        store.put_bars([bars("AAPL", [1, 2]), bars("BTC-USD", [7]), bars("EMPTY", [])])
        assert store.last_days(["AAPL", "BTC-USD", "EMPTY", "NONE"]) == {"AAPL": 2, "BTC-USD": 7}
        assert store.last_days([]) == {}
        assert store.bars([]) == {}


class IndicatorsContract:
    """Laws of indicators."""

    def test_the_newest_values_leave_out_what_is_not_defined(self, store: Store):
        """The newest value of each output is listed, with its origin, unless it is NaN or infinite."""
        store.put_indicators([indicators(rsi_14=[1.0, 55.5], sma_200=[nan, nan], obv=[1.0, inf])])
        newest = IndicatorValues("BTC-USD", "talib", T0, 20_010, {"rsi_14": 55.5})
        assert store.indicators() == {"BTC-USD": newest}
        assert store.indicators(["NONE", "BTC-USD"]) == {"BTC-USD": newest}
        assert store.indicators([]) == {}

    def test_the_series_comes_back_with_its_origin(self, store: Store):
        """Engine, window, days and every value survive, NaN included."""
        put = indicators(rsi_14=[nan, 55.5], macd=[0.1, -0.0])
        store.put_indicators([put])
        read = store.indicator_series("BTC-USD")
        assert read is not None
        assert replace(read, series={}) == replace(put, series={})
        assert {name: values.tobytes() for name, values in read.series.items()} == {
            name: values.tobytes() for name, values in put.series.items()
        }
        assert store.indicator_series("NONE") is None

    def test_new_indicators_replace_the_old_ones_whole(self, store: Store):
        """No output of an earlier run survives a later one."""
        store.put_indicators([indicators(rsi_14=[1.0])])
        store.put_indicators([indicators(macd=[2.0])])
        assert store.indicators()["BTC-USD"].values == {"macd": 2.0}

    def test_the_time_of_indicators_is_when_they_were_computed(self, store: Store):
        """The newest computation counts; absent symbols are left out."""
        store.put_indicators([indicators("AAPL"), replace(indicators("BTC-USD"), computed_at=T0 + 0.5)])
        store.put_indicators([replace(indicators("AAPL"), computed_at=T0 + 60)])
        assert store.indicators_computed_at(["BTC-USD", "NONE", "AAPL"]) == {"AAPL": T0 + 60, "BTC-USD": T0 + 0.5}
        assert store.indicators_computed_at([]) == {}

    @pytest.mark.parametrize("count", [499, 500, 501, 1_001])
    def test_the_times_of_more_indicators_than_a_batch_are_all_told(self, store: Store, count: int):
        """No symbol is lost where one batch ends and the next begins."""
        store.put_indicators(replace(indicators(f"S{number}"), computed_at=T0 + number) for number in range(count))
        expected = {f"S{number}": T0 + number for number in range(count)}
        assert store.indicators_computed_at([*expected, "NONE"]) == expected


class NewsContract:
    """Laws of news."""

    def test_news_come_back_newest_first(self, store: Store):
        """What is put is what is read, newest first, at most as many as asked."""
        old, new = news("1", "Copper falls", T0 - 9), news("2", "Gold rises", T0, "XAU-USD", guid="7")
        assert store.put_news([old, new]) == 2
        assert store.news() == [new, old]
        assert store.news(limit=1) == [new]
        assert store.news(limit=0) == []

    def test_news_of_an_asset_are_those_that_name_it(self, store: Store):
        """The index by asset holds exactly the articles linked to the asset."""
        both = news("1", "Apple pays in bitcoin", T0, "AAPL", "BTC-USD")
        one = news("2", "Bitcoin mining is back", T0 - 5, "BTC-USD")
        store.put_news([both, one, news("3", "Tea is hot")])
        assert store.news("BTC-USD") == [both, one]
        assert store.news("AAPL") == [both]
        assert store.news("NONE") == []

    @pytest.mark.parametrize(
        ("second", "is_new"),
        [
            pytest.param(news("other", "Quite another title", guid="g1"), False, id="same guid"),
            pytest.param(news("other", "Quite another title", guid="g1", source="Else"), True, id="guid of another"),
            pytest.param(news("a", "Quite another title", guid="g2"), False, id="same URL"),
            pytest.param(news("b", "BITCOIN tops $70,000 as ETF inflows surge!"), False, id="near-equal title"),
            pytest.param(news("b", "Bitcoin tops $70,000 as ETF inflows surge", WEEK_ON), False, id="in 7 days"),
            pytest.param(news("b", "Bitcoin tops $70,000 as ETF inflows surge", WEEK_ON + 1), True, id="later"),
            pytest.param(news("b", "Bitcoin tops $80,000 as ETF inflows surge"), True, id="other number"),
            pytest.param(news("b", "Ether slides while ETF outflows grow"), True, id="another story"),
        ],
    )
    def test_duplicates_are_not_stored(self, store: Store, second: NewsItem, is_new: bool):
        """An article is known by guid, then URL, then near-equal title within 7 days, in one call or two."""
        first = news("a", "Bitcoin tops $70,000 as ETF inflows surge", guid="g1")
        assert store.put_news([first]) == 1
        assert store.put_news([second]) == int(is_new)
        assert store.put_news([first, second]) == 0
        assert len(store.news()) == 1 + is_new

    def test_duplicates_within_one_call_are_found(self, store: Store):
        """Two feeds read in one run carry one story once."""
        assert store.put_news([news("a", "Oil jumps on supply fears"), news("b", "Oil jumps on supply fears")]) == 1


class JournalContract:
    """Laws of quarantine and freshness."""

    def test_quarantined_records_come_back_newest_first(self, store: Store):
        """Nothing of a refused record is lost but the end of a long payload."""
        first = Quarantined("quote", "AAPL", "yahoo", "jump: +9900 % against 1.02", '{"c": 102}', T0)
        second = replace(first, payload="é" * (PAYLOAD_LIMIT + 1), at=T0 + 0.125)
        store.put_quarantined([first])
        store.put_quarantined([second])
        assert store.quarantined() == [replace(second, payload="é" * PAYLOAD_LIMIT), first]
        assert store.quarantined(limit=1) == [replace(second, payload="é" * PAYLOAD_LIMIT)]

    def test_the_quarantine_is_capped(self, store: Store):
        """However much is refused, only the newest records are kept."""
        one = Quarantined("quote", "AAPL", "yahoo", "negative", "-1", T0)
        store.put_quarantined(replace(one, at=T0 + number) for number in range(QUARANTINE_LIMIT + 300))
        kept = store.quarantined(limit=10 * QUARANTINE_LIMIT)
        assert QUARANTINE_LIMIT <= len(kept) < QUARANTINE_LIMIT + 300
        assert kept[0].at == T0 + QUARANTINE_LIMIT + 299

    def test_freshness_is_kept_per_dataset_and_provider(self, store: Store):
        """The last success of each pair is told apart."""
        store.mark_success("quotes:crypto", "simulated/binance", T0)
        store.mark_success("quotes:crypto", "kraken", T0 + 1.5)
        store.mark_success("quotes:crypto", "simulated/binance", T0 + 2)
        assert store.last_success() == {
            ("quotes:crypto", "simulated/binance"): T0 + 2,
            ("quotes:crypto", "kraken"): T0 + 1.5,
        }


class RetentionContract:
    """Laws of retention."""

    LIMITS: ClassVar = {"quotes_before": T0, "bars_before_day": 20_000, "news_before": T0}

    def fill(self, store: Store) -> None:
        """One thing of each kind on either side of the limits."""
        store.put_quotes([quote("OLD", fetched_at=T0 - 1), quote("EDGE", fetched_at=T0)])
        store.put_bars([bars("OLD", range(19_990, 19_995)), bars("BOTH", range(19_998, 20_003)), bars("NEW", [20_000])])
        store.put_indicators([indicators("OLD", last_day=19_999), indicators("NEW", last_day=20_000)])
        store.put_news([news("1", "Old hat", T0 - 1, "AAPL", guid="1"), news("2", "Brand new", T0, "AAPL")])

    def test_dropping_takes_exactly_what_is_past_its_retention(self, store: Store):
        """What is older than the limit goes, what is at the limit stays."""
        self.fill(store)
        counts = store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        assert counts == {"quotes": 1, "bars": 7, "indicators": 1, "news": 1}
        assert list(store.quotes()) == ["EDGE"]
        assert {symbol: list(each.days) for symbol, each in store.bars(["OLD", "BOTH", "NEW"]).items()} == {
            "BOTH": [20_000, 20_001, 20_002],
            "NEW": [20_000],
        }
        assert list(store.indicators()) == ["NEW"]
        assert store.indicator_series("OLD") is None
        assert [item.title for item in store.news("AAPL")] == ["Brand new"]

    def test_dropping_again_drops_nothing(self, store: Store):
        """The clean-up is idempotent."""
        self.fill(store)
        store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        again = store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        assert set(again.values()) == {0}

    def test_a_dry_run_counts_the_same_and_changes_nothing(self, store: Store):
        """The dry run tells what the real run does."""
        self.fill(store)
        told = store.drop_older(**self.LIMITS, dry_run=True)  # type: ignore[arg-type]
        assert len(store.quotes()) == 2
        assert len(store.news()) == 2
        assert told == store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]

    def test_dropped_news_may_come_again(self, store: Store):
        """Nothing of a dropped article stays behind to refuse another."""
        self.fill(store)
        store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        assert store.put_news([news("1", "Old hat", T0 - 1, "AAPL", guid="1")]) == 1

    def test_more_than_a_batch_is_dropped_whole(self, store: Store):
        """The batches go on until nothing old is left."""
        store.put_quotes(quote(f"S{number}", fetched_at=T0 - 1) for number in range(1_200))
        store.put_news(news(str(number), f"Story number {number}", T0 - 1) for number in range(1_200))
        store.put_bars(bars(f"S{number}", [1, 2]) for number in range(250))
        counts = store.drop_older(**self.LIMITS, dry_run=False)  # type: ignore[arg-type]
        assert counts == {"quotes": 1_200, "bars": 500, "indicators": 0, "news": 1_200}
        assert store.quotes() == {}
        assert store.news() == []
