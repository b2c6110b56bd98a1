"""The ports of market data: what an adapter offers and what a fetch reports."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from financehub_shared.core.errors import ProviderError
from financehub_shared.core.models import Asset, Bars, NewsItem, Quarantined, Quote


@dataclass(frozen=True, slots=True)
class QuoteBatch:
    """Answer of one provider to one request for quotes.

    Args:
        quotes: symbol → quote, for what was answered.
        missing: symbol → why not, for everything else that was asked.
    """

    quotes: Mapping[str, Quote] = field(default_factory=dict)
    missing: Mapping[str, ProviderError] = field(default_factory=dict)


class QuoteProvider(Protocol):
    """Latest prices, in batches."""

    name: str

    def serves(self, asset: Asset) -> bool:
        """Whether this provider knows assets of this kind at all."""
        ...

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        """Fetch quotes with as few requests as the upstream allows.

        Args:
            assets: what to fetch, all of them served.
            deadline: monotonic seconds by which an answer must be there.

        Raises:
            ProviderError: the provider failed for all of them.
        """
        ...


class BarProvider(Protocol):
    """Daily bars, one asset a request."""

    name: str

    def serves(self, asset: Asset) -> bool:
        """Whether this provider knows assets of this kind at all."""
        ...

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> Bars:
        """Fetch the daily bars from `first_day` (days since 1970-01-01) up to the last complete day.

        Raises:
            ProviderError: nothing could be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class NewsBatch:
    """Answer of one news provider.

    Args:
        items: what is new; empty when every source said 'not modified'.
        failed: source name → why it gave nothing.
        unchanged: sources that answered 304.
        quarantined: articles that cannot be stored, with the reason.
        on_stored: to be awaited once `items` are stored; only then may an unchanged source answer 304 next time.
    """

    items: Sequence[NewsItem] = ()
    failed: Mapping[str, ProviderError] = field(default_factory=dict)
    unchanged: Sequence[str] = ()
    quarantined: Sequence[Quarantined] = ()
    on_stored: Sequence[Callable[[], Awaitable[None]]] = ()


class NewsProvider(Protocol):
    """Articles of one or several sources."""

    name: str

    def sources(self) -> Sequence[str]:
        """Names of the sources it reads."""
        ...

    async def fetch_news(self, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
        """Fetch the newest articles of the sources whose name contains one of `sources` (None: all).

        Raises:
            ProviderError: its only source failed; of several, each that fails is in `failed`.
        """
        ...
