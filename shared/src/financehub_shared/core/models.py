"""The market data records. Times are Unix seconds (float, UTC); prices are Decimals in the major currency unit."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


def is_simulated(provider: str) -> bool:
    """Whether a record comes from the simulator (`simulated/binance`), whose prices are not market prices."""
    return provider.startswith("simulated/")


class AssetType(StrEnum):
    """An instrument's kind, which decides the provider order."""

    CRYPTO = "crypto"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Asset:
    """An instrument that FinanceHub tracks.

    Args:
        symbol: Canonical symbol, such as `BTC-USD`, `AAPL` or `VOD.L`.
        type: Crypto or stock.
        name: Display name.
        currency: ISO 4217 code of the major unit in which the price is stored (`GBP`, not `GBp`).
        active: Whether data for the asset is fetched and computed.
        provider_symbols: Provider name → that provider's symbol, if it cannot be derived.
        declared: Whether the asset comes from the assets file, which then owns it, rather than from the CLI.
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
    CORRECTED = "corrected"  # a known error was corrected; `Quote.note` says how


@dataclass(frozen=True, slots=True)
class Quote:
    """The latest price of one asset.

    Args:
        symbol: Canonical symbol.
        price: Price in the major unit of `currency`.
        currency: ISO 4217 code.
        upstream_at: Time of the price according to the upstream, in Unix seconds. None if the upstream does not report
            it.
        fetched_at: Time at which we received the quote, in Unix seconds.
        provider: Provider that delivered the quote (`binance`, or `simulated/binance` from the simulator).
        change_percent: Change in percent from the previous close (for crypto, from the price 24 h ago).
        volume: Volume over 24 h or over the session, in units of the asset.
        quality: Good or corrected.
        note: Why the quality is not good, or which providers failed before this one. Otherwise empty.
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
    """Daily OHLCV bars of one asset as columns of equal length, ascending by day.

    Args:
        symbol: Canonical symbol.
        provider: Provider of the newest bars.
        days: Days since 1970-01-01 (UTC), array type `i`.
        open, high, low, close, volume: Arrays of type `d`. Prices are in the major unit.
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
        symbol: Canonical symbol.
        engine: `talib` or `ta`.
        computed_at: Time of the computation in Unix seconds.
        first_day, last_day: First and last day of the input, in days since 1970-01-01.
        bars: Number of bars in the input.
        days: Days of the series, ascending.
        series: Output name (`rsi_14`) → one value for each day in `days`. A value that is not defined yet is NaN.
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
        symbol: Canonical symbol.
        engine: `talib` or `ta`.
        computed_at: Time of the computation in Unix seconds.
        last_day: Day of the values, in days since 1970-01-01.
        values: Output name → value. Values that are not defined yet are left out.
    """

    symbol: str
    engine: str
    computed_at: float
    last_day: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class NewsItem:
    """The record of one article.

    Args:
        id: Stable id, a hash of the canonical URL.
        title: Plain-text title without markup.
        url: Canonical URL (without utm_*, with a sorted query and a lower-case host).
        source: Name of the publisher (`CoinDesk`).
        published_at: Time of publication in Unix seconds; the fetch time if the feed does not report it.
        fetched_at: Time at which we received the news item, in Unix seconds.
        provider: Provider that delivered the news item (`rss`, `gdelt` or `simulated/…`).
        guid: The feed's id for the news item, if it has one.
        assets: Canonical symbols of the assets that the news item is about.
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


#: Longest payload that the quarantine keeps, in characters.
PAYLOAD_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Data that failed validation, with the reason.

    Args:
        kind: `quote`, `bar` or `news`.
        symbol: Canonical symbol, or the feed of a news item.
        provider: Provider that delivered the data.
        reason: Machine-readable class, a colon and the detail (`jump: +9900 % against 1.02`).
        payload: The delivered data as a string, at most `PAYLOAD_LIMIT` characters.
        at: Time of the rejection in Unix seconds.
    """

    kind: str
    symbol: str
    provider: str
    reason: str
    payload: str
    at: float

    @property
    def reason_class(self) -> str:
        """The class at the beginning of the reason (`jump`), for use as a label; `other` if there is none."""
        name, colon, _ = self.reason.partition(":")
        return name if colon and name.isalpha() and name.isascii() else "other"
