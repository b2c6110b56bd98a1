"""The provider table: every fact about a provider that code outside the provider's module needs.

To add a provider, write a module under `financehub_shared.providers` with a `build` function, and add a row to
`_ROWS`. Settings, provider orders, budgets, secrets, the CLI and the Helm chart all derive from this table. Run
`make manifests` afterwards to update the chart.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS

MINUTE, HOUR, MONTH = float(MINUTE_SECONDS), float(HOUR_SECONDS), 30.0 * DAY_SECONDS


class Dataset(StrEnum):
    """A kind of data that a provider can deliver."""

    CRYPTO_QUOTES = "quotes:crypto"
    STOCK_QUOTES = "quotes:stock"
    BARS = "bars"
    NEWS = "news"


class Limit(NamedTuple):
    """At most `units` in any period of `window_seconds`.

    Args:
        window_seconds: Length of the window.
        units: Number of calls, or the sum of their weights if the upstream weighs calls.
    """

    window_seconds: float
    units: int

    @property
    def seconds(self) -> str:
        """The window's length in plain digits (`2592000`)."""
        return f"{self.window_seconds:.15g}"


@dataclass(frozen=True, slots=True)
class UrlSetting:
    """The setting `<provider>_url`: the base URL of an upstream.

    Args:
        default: Base URL without a trailing slash. None if the provider's library knows the URL.
        description: Help text of the setting, which gives the reason for its default.
    """

    default: str | None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """One provider.

    Args:
        name: Name in settings, records, metrics and breakers.
        build: Path of the function that builds the provider, as `module:function`. It is imported on first use, so
            that a process does not load the libraries of providers that it never calls.
        datasets: Datasets that the provider can deliver.
        optional: Datasets whose default provider order leaves this provider out.
        limits: The upstream's limits. A call must fit within all of them.
        url: The setting of the base URL. None if the provider does not have one.
        hosts: Hosts that the provider calls, if the base URL does not name them, for lists of hosts to allow.
        api_key: Whether there is a setting `<provider>_api_key`, and whether the provider works without it. The key is
            sent as an HTTP header. It may also come from a mounted Secret.
        has_parts: Whether the upstream consists of independent parts, such as feeds. Each part then has its own budget
            and its own circuit breaker, named `<name>:<part>`, and no budget or breaker has the plain name.
    """

    name: str
    build: str
    datasets: AbstractSet[Dataset]
    optional: AbstractSet[Dataset] = frozenset()
    limits: Sequence[Limit]
    url: UrlSetting | None = None
    hosts: Sequence[str] = ()
    api_key: Literal["none", "optional", "required"] = "none"
    has_parts: bool = False

    @property
    def url_setting(self) -> str | None:
        """Name of the setting with the base URL."""
        return None if self.url is None else f"{self.name}_url"

    @property
    def api_key_setting(self) -> str | None:
        """Name of the setting with the API key."""
        return None if self.api_key == "none" else f"{self.name}_api_key"


#: Rows are in default provider order: if two providers deliver a dataset, the upper one is the first choice.
_ROWS = (
    ProviderSpec(
        name="binance",
        build="financehub_shared.providers.binance.provider:build",
        datasets={Dataset.CRYPTO_QUOTES, Dataset.BARS},
        # "Limits" of the Spot REST API: a REQUEST_WEIGHT of 6,000 per minute per IP address. Every call has a weight.
        limits=(Limit(MINUTE, 6_000),),
        url=UrlSetting("https://data-api.binance.vision", "The host that serves market data only."),
    ),
    ProviderSpec(
        name="coingecko",
        build="financehub_shared.providers.coingecko.provider:build",
        datasets={Dataset.CRYPTO_QUOTES},
        # The Demo plan allows at least 30 calls per minute, and 10,000 per month.
        limits=(Limit(MINUTE, 30), Limit(MONTH, 10_000)),
        url=UrlSetting("https://api.coingecko.com"),
        api_key="optional",
    ),
    ProviderSpec(
        name="kraken",
        build="financehub_shared.providers.kraken:build",
        datasets={Dataset.CRYPTO_QUOTES, Dataset.BARS},
        # Kraken delivers bars for the last 720 days only.
        optional={Dataset.BARS},
        # "API rate limits": public calls are limited per IP address, to about one per second.
        limits=(Limit(MINUTE, 60),),
        url=UrlSetting("https://api.kraken.com"),
    ),
    ProviderSpec(
        name="yahoo",
        build="financehub_shared.providers.yahoo.provider:build",
        datasets={Dataset.STOCK_QUOTES, Dataset.BARS},
        # Yahoo documents no limit and answers 429 to heavy use, so these are conservative. The limit per minute lets
        # the first daily bars of 1,000 assets through in one go.
        limits=(Limit(MINUTE, 1_200), Limit(HOUR, 2_000)),
        url=UrlSetting(None, "If set, the yfinance session replaces the scheme and host of its requests with it."),
        # Those of yfinance: market data and the crumb, the cookie, and, in Europe, the consent to it.
        hosts=(
            "query1.finance.yahoo.com",
            "query2.finance.yahoo.com",
            "fc.yahoo.com",
            "guce.yahoo.com",
            "consent.yahoo.com",
        ),
    ),
    ProviderSpec(
        name="finnhub",
        build="financehub_shared.providers.finnhub:build",
        datasets={Dataset.STOCK_QUOTES},
        # "Rate limits": 60 per minute on the free plan, and 30 per second on every plan.
        limits=(Limit(1.0, 30), Limit(MINUTE, 60)),
        url=UrlSetting("https://finnhub.io"),
        api_key="required",
    ),
    ProviderSpec(
        name="rss",
        build="financehub_shared.providers.rss.provider:build",
        datasets={Dataset.NEWS},
        # Feeds publish no limits. This one applies to each feed, and allows a run, its retries and a few manual runs
        # within one minute.
        limits=(Limit(MINUTE, 12),),
        has_parts=True,
    ),
    ProviderSpec(
        name="gdelt",
        build="financehub_shared.providers.gdelt:build",
        datasets={Dataset.NEWS},
        # GDELT answers 429 "please limit requests to one every 5 seconds".
        limits=(Limit(5.0, 1),),
        url=UrlSetting("https://api.gdeltproject.org"),
    ),
)

#: Name → provider, in default provider order.
PROVIDERS: Mapping[str, ProviderSpec] = {spec.name: spec for spec in _ROWS}


def providers_of(dataset: Dataset) -> list[str]:
    """Return the names of the providers that can deliver `dataset`, in default provider order."""
    return [name for name, spec in PROVIDERS.items() if dataset in spec.datasets]


def default_order(dataset: Dataset) -> list[str]:
    """Return the default provider order of `dataset`."""
    return [name for name in providers_of(dataset) if dataset not in PROVIDERS[name].optional]


if TYPE_CHECKING:
    AssetProviderName = str
else:
    #: Name of a provider that delivers data for individual assets, and may therefore have its own symbol for an asset.
    AssetProviderName = Literal[tuple(name for name, spec in PROVIDERS.items() if spec.datasets - {Dataset.NEWS})]
