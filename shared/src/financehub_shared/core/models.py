"""The market data records. Times are Unix seconds (float, UTC); prices are Decimals in the major currency unit."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from financehub_shared.core.kinds import AssetKind, AssetType, derive_kind


def is_simulated(provider: str) -> bool:
    """Whether a record comes from the simulator (`simulated/binance`), whose prices are not market prices."""
    return provider.startswith("simulated/")


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
        stated_kind: The kind that the user stated. None if it is derived from the symbol.
        aliases: Further names under which headlines mention the asset (`Google`), in addition to the default ones.
        exchanges: Exchanges in whose notation headlines mention the asset (`NASDAQ`). Empty if the symbol shows them.
    """

    symbol: str
    type: AssetType
    name: str = ""
    currency: str = "USD"
    active: bool = True
    provider_symbols: Mapping[str, str] = field(default_factory=dict)
    declared: bool = False
    stated_kind: AssetKind | None = None
    aliases: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()

    @property
    def kind(self) -> AssetKind:
        """The kind that the user stated, or else the kind that the symbol shows."""
        return self.stated_kind or derive_kind(self.symbol, self.type)

    @property
    def is_abroad(self) -> bool:
        """Whether the asset is traded outside the US, where holidays are longer."""
        return "." in self.symbol or self.currency != "USD"


class Quality(StrEnum):
    """How far a stored quote can be trusted. If the quote is not good, `Quote.note` states the reason."""

    GOOD = "good"
    CORRECTED = "corrected"  # a known error was corrected
    UNCONFIRMED = "unconfirmed"  # it contradicts known data; any better quote replaces it


@dataclass(frozen=True, slots=True)
class QuoteEvidence:
    """Further values that a provider's answer reports about a quote. Prices are in the unit of the quote's `currency`.

    Every value is None if the provider does not report it or if it is not a number.

    Args:
        previous_close: Close of the previous session; for crypto, the price 24 h ago (Kraken: at midnight in UTC).
        low: Lowest price of the session; for crypto, of the last 24 h (Yahoo: since midnight in UTC).
        high: Highest price of the session; for crypto, of the last 24 h (Yahoo: since midnight in UTC).
        bid: Highest price that a buyer offers. 0 if there is no buyer.
        ask: Lowest price that a seller asks. 0 if there is no seller. Delayed sources report an ask below the bid.
        trades: Number of trades in the last 24 h.
        market_state: State of the exchange in the provider's words (`REGULAR`, `CLOSED`). Empty if it is not reported.
    """

    previous_close: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    trades: int | None = None
    market_state: str = ""


#: The evidence of a provider that reports only the price.
NO_EVIDENCE = QuoteEvidence()


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
        quality: Good, corrected or unconfirmed.
        note: Why the quality is not good, or which providers failed before this one. Otherwise empty.
        evidence: Further values from the answer, for validation. They are not stored.
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
    evidence: QuoteEvidence = field(default=NO_EVIDENCE, compare=False)


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


class PricePoint(NamedTuple):
    """One accepted price of an asset.

    Args:
        at: Time of the price in Unix seconds, with milliseconds: the upstream's time, or the fetch time if the upstream
            reports no time or a later one.
        price: Price in the major unit of the asset's currency.
        unconfirmed: Whether the price contradicts known data and the disagreement is not settled yet.
    """

    at: float
    price: float
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class ScaleChange:
    """A split, or the correction of a wrong unit, between two price points.

    Args:
        at: Time of the first price point on the new scale, in Unix seconds.
        factor: Number by which the earlier prices were divided: 5 for a 5:1 split.
    """

    at: float
    factor: float


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """The accepted prices of one asset in a time range.

    Args:
        symbol: Canonical symbol.
        points: The price points in ascending order of time, on the scale of the newest one.
        scale_changes: What the earlier prices were rescaled for, oldest first.
        simulated: Whether the prices come from the simulator. Simulated and real prices are never returned together.
    """

    symbol: str
    points: Sequence[PricePoint]
    scale_changes: Sequence[ScaleChange] = ()
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Candle:
    """The price points in one interval of time.

    Args:
        at: Start of the interval in Unix seconds.
        open, high, low, close: First, highest, lowest and last price.
        count: Number of price points. It is not a volume.
    """

    at: float
    open: float
    high: float
    low: float
    close: float
    count: int


@dataclass(frozen=True, slots=True)
class BarAnswer:
    """One provider's answer to a request for the daily bars of one asset, as far as it could be read.

    Nothing in it is checked or corrected, except that prices are in the major unit; `market/quality/bars.py` does that.

    Args:
        bars: The bars of complete days.
        splits: Day on which an announced split takes effect → new shares per old share: 5 for a 5:1 split, 0.1 for a
            reverse split of 1:10, and 1 if the ratio could not be read.
        dividends: Day from which a share is traded without a dividend → the dividend per share in the major unit.
        price: Latest price that the same answer reports, in the major unit. None if it reports no price.
        price_at: Time of `price` in Unix seconds. None if the answer does not report it.
        problems: One sentence about each element that could not be read and was left out.
    """

    bars: Bars
    splits: Mapping[int, float] = field(default_factory=dict)
    dividends: Mapping[int, float] = field(default_factory=dict)
    price: float | None = None
    price_at: float | None = None
    problems: tuple[str, ...] = ()


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
        guid: The label of the feed, a space, and the feed's id for the news item. Empty if the feed states no id, or if
            several news items of the feed have the same id.
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
#: Longest reason that the quarantine keeps, in characters.
REASON_LIMIT = 500


#: The kinds of data that validation can reject.
REJECTED_KINDS = ("quote", "bar", "news")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Data that failed validation, with the reason.

    Args:
        kind: One of `REJECTED_KINDS`.
        symbol: Canonical symbol, or the feed of a news item.
        provider: Provider that delivered the data.
        reason: Machine-readable class, a colon and the detail (`jump: +9900 % against 1.02`), at most `REASON_LIMIT`
            characters.
        payload: The delivered data as a string, at most `PAYLOAD_LIMIT` characters.
        at: Time of the last rejection in Unix seconds.
        first_at: Time of the first rejection with this class of reason in Unix seconds. None in a new record.
        count: Number of rejections since `first_at`.
    """

    kind: str
    symbol: str
    provider: str
    reason: str
    payload: str
    at: float
    first_at: float | None = None
    count: int = 1

    @property
    def reason_class(self) -> str:
        """The class at the beginning of the reason (`jump`, `not-found`), used as a label; `other` if there is none."""
        name, colon, _ = self.reason.partition(":")
        return name if colon and name.replace("-", "").isalpha() and name.isascii() else "other"
