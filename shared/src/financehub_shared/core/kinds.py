"""Defines the kinds of assets, derives an asset's kind from its symbol, and lists what depends on the kind."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from financehub_shared.core.market_hours import MarketHours
from financehub_shared.core.symbols.currency_rules import (
    future_currency,
    fx_currency,
    listing_currency,
    pair_currency,
    quoted_index_currency,
)
from financehub_shared.core.symbols.exchanges import FUTURES_SUFFIXES, split_suffix
from financehub_shared.core.symbols.indices import INDEX_CURRENCIES


class AssetType(StrEnum):
    """The two types of assets, each of which has its own price task."""

    CRYPTO = "crypto"
    STOCK = "stock"


class AssetKind(StrEnum):
    """What an asset is. Every asset of the type `crypto` is a coin; the type `stock` has all other kinds."""

    COIN = "coin"
    EQUITY = "equity"
    FUND = "fund"
    INDEX = "index"
    FX = "fx"
    FUTURE = "future"

    @property
    def type(self) -> AssetType:
        """The type of all assets of this kind."""
        return AssetType.CRYPTO if self is AssetKind.COIN else AssetType.STOCK


@dataclass(frozen=True, slots=True)
class KindSpec:
    """What depends on the kind of an asset.

    Args:
        providers: The providers that can serve the kind by its canonical symbol, in default order. The settings choose
            among them and may change the order (`ProviderSettings.provider_order`). Every other provider needs the
            symbol that it uses for the asset.
        hours: When the kind is traded.
        currency: The currency rule: canonical symbol → ISO 4217 code. None if the user must state the currency.
        fixed_currency: Whether the symbol contains the currency, so that stating another currency is a mistake.
            Otherwise, a stated currency replaces that of the rule, because some London stocks, for example, are priced
            in USD.
    """

    providers: tuple[str, ...]
    hours: MarketHours
    currency: Callable[[str], str | None]
    fixed_currency: bool = False


#: The market is open from Monday to Friday in all time zones. The longest holidays since 2010 take 45 hours of weekdays
#: between two sessions in the US, and 185 abroad (Jakarta). The late net asset value of a US fund adds 10 hours.
_EXCHANGE_HOURS = MarketHours(0, 120, stale_hours=60, stale_hours_abroad=192)
#: The net asset value of a day arrives during the following night.
_FUND_HOURS = MarketHours(0, 120, stale_hours=60, stale_hours_abroad=192, final_hour=6)
_COIN_HOURS = MarketHours(0, 168, stale_hours=1, stale_hours_abroad=1)  # around the clock
#: The market is open from Sunday 17:00 to Friday 17:00 in New York. Christmas takes 25 hours of this time, and two
#: holidays of one country take 48.
_FX_HOURS = MarketHours(-2, 117, stale_hours=50, stale_hours_abroad=50)
#: The market is open from Sunday 17:00 to Friday 16:00 in Chicago. Christmas takes 29 hours of this time. Some futures
#: have short sessions, such as cattle from 8:30 to 13:05, so Good Friday takes 44 hours.
_FUTURE_HOURS = MarketHours(-1, 117, stale_hours=60, stale_hours_abroad=60)

#: Kind → what depends on it. Finnhub's free plan has only US stocks and funds (https://finnhub.io/pricing).
KINDS: Mapping[AssetKind, KindSpec] = {
    AssetKind.COIN: KindSpec(("binance", "coingecko", "kraken"), _COIN_HOURS, pair_currency, fixed_currency=True),
    AssetKind.EQUITY: KindSpec(("yahoo", "finnhub"), _EXCHANGE_HOURS, listing_currency),
    AssetKind.FUND: KindSpec(("yahoo", "finnhub"), _FUND_HOURS, listing_currency),
    AssetKind.INDEX: KindSpec(("yahoo",), _EXCHANGE_HOURS, quoted_index_currency),
    AssetKind.FX: KindSpec(("yahoo",), _FX_HOURS, fx_currency, fixed_currency=True),
    AssetKind.FUTURE: KindSpec(("yahoo",), _FUTURE_HOURS, future_currency),
}

#: The symbol of a US mutual fund has five letters and ends in X (`VFIAX`). Yahoo's symbols of others begin with 0P.
_MUTUAL_FUND = re.compile(r"[A-Z]{4}X|0P[0-9A-Z]{8}(?:\.[A-Z]+)?")


#: The kind of an asset is asked for several times in each fetch cycle. 16,384 answers take 3 MB.
@lru_cache(16_384)
def derive_kind(symbol: str, type: AssetType) -> AssetKind:
    """Return the kind that the spelling of a canonical symbol shows.

    Exchange-traded funds are spelled like shares, so they are equities unless the user states `kind: fund`.

    Args:
        symbol: Canonical symbol: `^GSPC` is an index, `EURUSD=X` a currency pair, `GC=F` a future.
        type: Type of the asset.
    """
    if type is AssetType.CRYPTO:
        return AssetKind.COIN
    if symbol.startswith("^") or symbol in INDEX_CURRENCIES:
        return AssetKind.INDEX
    if symbol.endswith("=X"):
        return AssetKind.FX
    _, exchange = split_suffix(symbol)
    if symbol.endswith("=F") or (exchange is not None and exchange.suffix in FUTURES_SUFFIXES):
        return AssetKind.FUTURE
    return AssetKind.FUND if _MUTUAL_FUND.fullmatch(symbol) else AssetKind.EQUITY
