"""The nouns of market data. Times are Unix seconds (float, UTC); prices are Decimals in the major currency unit."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


def is_simulated(provider: str) -> bool:
    """Whether a record is of the simulator (`simulated/binance`), whose prices say nothing about the market."""
    return provider.startswith("simulated/")


class AssetType(StrEnum):
    """What kind of instrument a symbol names; decides the provider order."""

    CRYPTO = "crypto"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Asset:
    """Something FinanceHub keeps data of.

    Args:
        symbol: canonical symbol: `BTC-USD`, `AAPL`, `VOD.L`.
        type: crypto or stock.
        name: for people.
        currency: ISO 4217 code of the major unit the price is kept in (`GBP`, not `GBp`).
        active: only active assets are fetched and computed.
        provider_symbols: provider name → its own symbol, where it cannot be derived.
        declared: came from the assets file, which owns it, rather than from the CLI.
    """

    symbol: str
    type: AssetType
    name: str = ""
    currency: str = "USD"
    active: bool = True
    provider_symbols: Mapping[str, str] = field(default_factory=dict)
    declared: bool = False


class Quality(StrEnum):
    """How far a stored quote can be trusted."""

    GOOD = "good"
    MENDED = "mended"  # a known unit error was corrected; `Quote.note` says how


@dataclass(frozen=True, slots=True)
class Quote:
    """The latest price of one asset.

    Args:
        symbol: canonical symbol.
        price: in the major unit of `currency`.
        currency: ISO 4217.
        upstream_at: when the upstream says the price was made, Unix seconds; None where it does not say.
        fetched_at: when we received it, Unix seconds.
        provider: which adapter answered (`binance`; `simulated/binance` from the simulator).
        change_percent: against the previous close (24 h for crypto), in percent.
        volume: 24 h or session volume, in units of the asset.
        quality: good or mended.
        note: why it is not plainly good, or which providers failed before this one; empty else.
    """

    symbol: str
    price: Decimal
    currency: str
    upstream_at: float | None
    fetched_at: float
    provider: str
    change_percent: Decimal | None = None
    volume: Decimal | None = None
    quality: Quality = Quality.GOOD
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Daily OHLCV of one asset, columnar and ascending by day; all columns are of equal length.

    Args:
        symbol: canonical symbol.
        provider: who delivered the newest bars.
        days: days since 1970-01-01 (UTC), array type `i`.
        open, high, low, close, volume: arrays of type `d`, prices in the major unit.
    """

    symbol: str
    provider: str
    days: "array[int]"
    open: "array[float]"
    high: "array[float]"
    low: "array[float]"
    close: "array[float]"
    volume: "array[float]"

    def __len__(self) -> int:
        return len(self.days)


@dataclass(frozen=True, slots=True)
class Indicators:
    """Technical indicators of one asset.

    Args:
        symbol: canonical symbol.
        engine: `talib` or `ta`.
        computed_at: Unix seconds.
        first_day, last_day: the input window, days since 1970-01-01.
        bars: how many bars went in.
        days: days of the series, ascending.
        series: output name (`rsi_14`) → values, one per day in `days`; NaN where not defined yet.
    """

    symbol: str
    engine: str
    computed_at: float
    first_day: int
    last_day: int
    bars: int
    days: "array[int]"
    series: Mapping[str, "array[float]"]


@dataclass(frozen=True, slots=True)
class IndicatorValues:
    """The newest indicator values of one asset.

    Args:
        symbol: canonical symbol.
        engine: `talib` or `ta`.
        computed_at: Unix seconds.
        last_day: the day they are of, days since 1970-01-01.
        values: output name → value; those not defined (yet) are left out.
    """

    symbol: str
    engine: str
    computed_at: float
    last_day: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class NewsItem:
    """One article.

    Args:
        id: stable id, a hash of the canonical URL.
        title: plain text, no markup.
        url: canonical (no utm_*, sorted query, lower-case host).
        source: the publisher's name (`CoinDesk`).
        published_at: Unix seconds; the fetch time where the feed does not say.
        fetched_at: Unix seconds.
        provider: the adapter (`rss`, `gdelt`; `simulated/…`).
        guid: the feed's own id, where it has one.
        assets: canonical symbols the article names.
    """

    id: str
    title: str
    url: str
    source: str
    published_at: float
    fetched_at: float
    provider: str
    guid: str = ""
    assets: tuple[str, ...] = ()


#: Characters of a quarantined payload that are kept.
PAYLOAD_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Data that failed validation, kept with the reason.

    Args:
        kind: `quote`, `bar` or `news`.
        symbol: canonical symbol, or the feed for news.
        provider: who delivered it.
        reason: machine-readable class, then detail (`jump: +9900 % against 1.02`).
        payload: what was delivered, as JSON-able text, at most `PAYLOAD_LIMIT` characters.
        at: Unix seconds.
    """

    kind: str
    symbol: str
    provider: str
    reason: str
    payload: str
    at: float

    @property
    def reason_class(self) -> str:
        """The class that the reason begins with (`jump`), so that it can be a label; `other` where it has none."""
        name, colon, _ = self.reason.partition(":")
        return name if colon and name.isalpha() and name.isascii() else "other"
