"""The properties of price histories in every store, as a part of `StoreContract`."""

from itertools import groupby
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, PricePoint, Quality, Quote, ScaleChange
from financehub_shared.market.encoding.records import quote_order
from financehub_shared.market.protocols import Store
from support.market_data import T0, bars, quote

#: Midnight in UTC, so that tests know to which day a price belongs.
MIDNIGHT = T0 // DAY_SECONDS * DAY_SECONDS
DAY = int(MIDNIGHT // DAY_SECONDS)
#: Fetches of one asset: the seconds between the upstream time and the fetch time, and the price. Fetch times differ.
fetches = st.lists(st.tuples(st.integers(0, 5), st.integers(90, 110)), min_size=1, max_size=8)


def points_of(store: Store, symbol: str = "BTC-USD") -> list[tuple[float, float]]:
    """Return the times and prices of the whole history of an asset."""
    history = store.history(symbol, MIDNIGHT - 30 * DAY_SECONDS, MIDNIGHT + 30 * DAY_SECONDS)
    return [(point.at, point.price) for point in history.points]


def at(seconds: float, price: str = "1", **more: object) -> Quote:
    """Return a quote whose price and fetch have the same time, in seconds after `MIDNIGHT`."""
    return quote(price=price, fetched_at=MIDNIGHT + seconds, **more)


class HistoryContract:
    """Properties of price histories."""

    def test_history_returns_each_accepted_price_at_its_time(self, store: Store):
        """The time is the upstream's, bounded by the fetch time, with milliseconds. Other assets are not affected."""
        store.put_quotes([at(0.5, "1.25", upstream_at=MIDNIGHT + 0.123456), quote("AAPL", fetched_at=T0)])
        store.put_quotes([at(60, "0.000000012345678", upstream_at=None)])
        store.put_quotes([at(120, "1.5", upstream_at=MIDNIGHT + 9_999)])
        assert points_of(store) == [
            (MIDNIGHT + 0.123, 1.25),
            (MIDNIGHT + 60, 0.000000012345678),
            (MIDNIGHT + 120, 1.5),
        ]
        assert len(points_of(store, "AAPL")) == 1
        assert points_of(store, "NONE") == []

    def test_history_contains_the_begin_of_the_range_and_not_its_end(self, store: Store):
        """A range is half-open, so that adjacent ranges have no price in common."""
        for seconds in (0, 60, 120):
            store.put_quotes([at(seconds)])
        history = store.history("BTC-USD", MIDNIGHT, MIDNIGHT + 120)
        assert [point.at for point in history.points] == [MIDNIGHT, MIDNIGHT + 60]
        assert (history.symbol, history.simulated) == ("BTC-USD", False)

    def test_history_over_midnight_is_complete(self, store: Store):
        """A price at midnight belongs to the day that begins, and no price is lost between two days."""
        times = [MIDNIGHT - 0.001, MIDNIGHT, MIDNIGHT + DAY_SECONDS - 0.0001, MIDNIGHT + DAY_SECONDS]
        for number, time in enumerate(times):
            store.put_quotes([quote(price=str(number + 1), fetched_at=time)])
        found = [at for at, _ in points_of(store)]
        assert found == [MIDNIGHT - 0.001, MIDNIGHT, MIDNIGHT + DAY_SECONDS - 0.001, MIDNIGHT + DAY_SECONDS]
        assert [point.price for point in store.history("BTC-USD", MIDNIGHT, MIDNIGHT + DAY_SECONDS).points] == [2, 3]

    def test_history_without_a_refused_quote(self, store: Store):
        """A quote that is older than the stored one is not stored, so it is not in the history."""
        store.put_quotes([at(60, "2")])
        store.put_quotes([at(0, "1"), at(60, "2")])
        assert points_of(store) == [(MIDNIGHT + 60, 2)]

    def test_history_of_a_closed_market_has_the_last_price_once(self, store: Store):
        """A price that is fetched again, with the same upstream time, is the same price point."""
        for fetch in range(3):
            store.put_quotes([at(fetch * 300, "7", upstream_at=MIDNIGHT - 3_600)])
        store.put_quotes([at(900, "8", upstream_at=MIDNIGHT - 3_600)])
        assert points_of(store) == [(MIDNIGHT - 3_600, 7), (MIDNIGHT - 3_600, 8)]

    def test_history_contains_what_was_accepted_in_any_order_of_calls(self, store: Store):
        """Runs may be repeated and concurrent. Exactly the accepted quotes are in the history, each of them once."""

        @given(fetched=fetches, order=st.randoms(use_true_random=False), repetitions=st.integers(1, 3))
        @settings(deadline=None, max_examples=30)
        def check(fetched: list[tuple[int, int]], order: Random, repetitions: int) -> None:
            runs = [
                at(number * 3, str(price), upstream_at=MIDNIGHT + number * 3 - delay)
                for number, (delay, price) in enumerate(fetched)
            ] * repetitions
            order.shuffle(runs)
            store.remove_assets(["BTC-USD"])
            accepted: list[Quote] = []
            for run in runs:
                store.put_quotes([run])
                if not accepted or quote_order(accepted[-1]) <= quote_order(run):
                    accepted.append(run)
            expected = [(made.upstream_at or 0.0, float(made.price)) for made in accepted]
            assert points_of(store) == [key for key, _ in groupby(expected)]

        check()

    def test_history_without_unconfirmed_prices_that_were_refuted(self, store: Store):
        """A wrong price that was stored as unconfirmed leaves no spike. Before it is refuted, it is shown as such."""
        store.put_quotes([at(0, "100")])
        for seconds in (60, 120):
            store.put_quotes([at(seconds, "10", quality=Quality.UNCONFIRMED)], replaced={"BTC-USD"})
        history = store.history("BTC-USD", MIDNIGHT, MIDNIGHT + 1_000)
        assert history.points[1:] == [
            PricePoint(MIDNIGHT + 60, 10, unconfirmed=True),
            PricePoint(MIDNIGHT + 120, 10, unconfirmed=True),
        ]
        # the right price may be older than the wrong one
        store.put_quotes([at(180, "101", upstream_at=MIDNIGHT + 90)], replaced={"BTC-USD"})
        assert points_of(store) == [(MIDNIGHT, 100), (MIDNIGHT + 90, 101)]
        assert store.history("BTC-USD", MIDNIGHT, MIDNIGHT + 70).points == [PricePoint(MIDNIGHT, 100)]

    def test_history_with_unconfirmed_prices_that_were_confirmed(self, store: Store):
        """A new level that turns out to be right stays from its first price on."""
        store.put_quotes([at(0, "100")])
        store.put_quotes([at(60, "10", quality=Quality.UNCONFIRMED)], replaced={"BTC-USD"})
        store.put_quotes([at(120, "11")], replaced={"BTC-USD"})
        history = store.history("BTC-USD", MIDNIGHT, MIDNIGHT + 1_000)
        assert history.points == [
            PricePoint(MIDNIGHT, 100),
            PricePoint(MIDNIGHT + 60, 10),
            PricePoint(MIDNIGHT + 120, 11),
        ]

    @pytest.mark.parametrize(
        ("type", "close", "prices", "changes"),
        [
            pytest.param(AssetType.STOCK, 50, [50, 51], [ScaleChange(MIDNIGHT, 2)], id="split"),
            pytest.param(AssetType.STOCK, 100, [100, 51], [], id="crash"),
            pytest.param(AssetType.CRYPTO, 50, [100, 51], [], id="coin"),
        ],
    )
    def test_history_over_a_split_is_on_the_new_scale(
        self, store: Store, type: AssetType, close: float, prices: list[float], changes: list[ScaleChange]
    ):
        """The bars of the days before the step decide. The prices of a crash stay as they were."""
        store.put_assets([Asset("BTC-USD", type)])
        store.put_bars([bars("BTC-USD", range(DAY - 3, DAY), close - (DAY - 1) / 1_000 - 0.25)])
        store.put_quotes([at(-3_600, "100")])
        store.put_quotes([at(0, "51")], replaced={"BTC-USD"})
        history = store.history("BTC-USD", MIDNIGHT - DAY_SECONDS, MIDNIGHT + 1)
        assert [point.price for point in history.points] == prices
        assert history.scale_changes == changes
        assert store.history("BTC-USD", MIDNIGHT - DAY_SECONDS, MIDNIGHT).points[0].price == prices[0]

    def test_history_never_mixes_simulated_and_real_prices(self, store: Store):
        """Simulated prices are unrelated to real ones, so only those like the newest one are returned."""
        store.put_quotes([at(0, "100", provider="simulated/binance")])
        assert store.history("BTC-USD", MIDNIGHT, MIDNIGHT + 1).simulated
        store.put_quotes([at(60, "7")])
        assert points_of(store) == [(MIDNIGHT + 60, 7)]

    def test_remove_assets_removes_their_histories(self, store: Store):
        """An asset that is added again has no history, and other assets keep theirs."""
        store.put_quotes([at(0), at(DAY_SECONDS), quote("BTC", fetched_at=T0)])
        store.remove_assets(["BTC-USD"])
        assert points_of(store) == []
        assert len(points_of(store, "BTC")) == 1

    def test_drop_older_drops_whole_days_of_prices(self, store: Store):
        """The days before the limit are dropped, and a dry run only counts them."""
        for day in (-2, -1, 0):
            store.put_quotes([at(day * DAY_SECONDS)])
        limits = {"quotes_before": 0.0, "bars_before_day": 0, "news_before": 0.0, "quarantine_before": 0.0}
        for dry_run, expected in ((True, 2), (False, 2), (False, 0)):
            counts = store.drop_older(**limits, history_before_day=DAY, dry_run=dry_run)  # type: ignore[arg-type]
            assert counts["history"] == expected
        assert points_of(store) == [(MIDNIGHT, 1)]
