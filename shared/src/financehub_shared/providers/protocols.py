"""Defines the interfaces of providers and the batches that they return."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from financehub_shared.core.errors import ProviderError
from financehub_shared.core.models import Asset, BarAnswer, NewsItem, Quarantined, Quote


@dataclass(frozen=True, slots=True)
class QuoteBatch:
    """One provider's result for one request for quotes.

    Args:
        quotes: Symbol → quote, for all symbols that the provider delivered.
        missing: Symbol → error, for all other requested symbols.
    """

    quotes: Mapping[str, Quote] = field(default_factory=dict)
    missing: Mapping[str, ProviderError] = field(default_factory=dict)


class QuoteProvider(Protocol):
    """Delivers latest prices in batches."""

    name: str

    def serves(self, asset: Asset) -> bool:
        """Whether this provider can have data for the asset."""
        ...

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """Fetch quotes with as few requests as the upstream allows.

        Args:
            assets: The assets to fetch, all of them served by this provider.
            deadline: Monotonic time in seconds by which the fetch must end.

        Raises:
            ProviderError: The provider delivered none of them.
        """
        ...


class BarProvider(Protocol):
    """Delivers daily bars, one asset per request."""

    name: str

    def serves(self, asset: Asset) -> bool:
        """Whether this provider can have data for the asset."""
        ...

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> BarAnswer:
        """Fetch the daily bars from `first_day` to the last complete day, as the upstream sends them.

        Args:
            asset: The asset, which this provider serves.
            first_day: Days since 1970-01-01.
            deadline: Monotonic time in seconds by which the fetch must end.

        Raises:
            ProviderError: The provider delivered no bars.
        """
        ...


@dataclass(frozen=True, slots=True)
class NewsBatch:
    """One news provider's result.

    Args:
        items: The news items. Empty if every source responded 'not modified'.
        failed: Source → error.
        unchanged: Sources that responded with 304.
        quarantined: News items that cannot be stored, with the reason.
        on_stored: Functions to await once `items` are stored. Only then may an unchanged source respond with 304.
    """

    items: Sequence[NewsItem] = ()
    failed: Mapping[str, ProviderError] = field(default_factory=dict)
    unchanged: Sequence[str] = ()
    quarantined: Sequence[Quarantined] = ()
    on_stored: Sequence[Callable[[], Awaitable[None]]] = ()


class NewsProvider(Protocol):
    """Delivers news items of one or several sources."""

    name: str

    def sources(self) -> Sequence[str]:
        """Return the names of the sources."""
        ...

    async def fetch_news(self, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
        """Fetch the newest news items.

        Args:
            sources: Names of sources, or parts of names. None for all sources.
            deadline: Monotonic time in seconds by which the fetch must end.

        Raises:
            ProviderError: The provider's only source failed. If it has several, `failed` has the error of each.
        """
        ...
