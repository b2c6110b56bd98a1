"""The laws that every store keeps; `tests/unit` runs them on `MemoryStore`, `tests/integration` on a real Redis."""

from dataclasses import replace
from decimal import Decimal

from financehub_shared.models import Asset, AssetType, Quality, Quote
from financehub_shared.store import Store

T0 = 1_800_000_000.0
BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin", provider_symbols={"kraken": "XBTUSD"})
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
VOD = Asset("VOD.L", AssetType.STOCK, "Vodafone — plc", currency="GBP", active=False)


def quote(symbol: str = "BTC-USD", price: str = "65000.10", fetched_at: float = T0, **more: object) -> Quote:
    """A quote with the usual fields filled."""
    fields: dict[str, object] = {"currency": "USD", "upstream_at": fetched_at, "provider": "binance"} | more
    return Quote(symbol=symbol, price=Decimal(price), fetched_at=fetched_at, **fields)  # type: ignore[arg-type]


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
        """An asset takes its quote with it; removing it again removes nothing."""
        store.put_assets([BTC, AAPL])
        store.put_quotes([quote("BTC-USD"), quote("AAPL")])
        assert store.remove_assets(["BTC-USD", "NONE"]) == 1
        assert store.remove_assets(["BTC-USD"]) == 0
        assert [asset.symbol for asset in store.assets()] == ["AAPL"]
        assert list(store.quotes()) == ["AAPL"]

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
            quality=Quality.MENDED,
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

    def test_more_quotes_than_a_batch_are_all_kept(self, store: Store):
        """2,000 quotes are stored whole."""
        many = [quote(f"S{number}", str(number + 1)) for number in range(2_000)]
        store.put_quotes(many)
        assert store.quotes() == {each.symbol: each for each in many}
