"""The view of a news item."""

from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.models import NewsItem
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class NewsView(TypedDict):
    """One news item: the record of an article."""

    id: Annotated[str, Field(description="The id, a hash of the canonical URL.")]
    title: Annotated[str, Field(description="The headline as plain text.")]
    url: Annotated[str, Field(description="The canonical URL of the article.")]
    source: Annotated[str, Field(description="The name of the publisher.", examples=["CoinDesk"])]
    provider: Annotated[str, Field(description="The provider that delivered the news item.", examples=["rss"])]
    published_at: Annotated[
        Time | None,
        Field(description="The time of publication, or of the fetch if the provider does not report it."),
    ]
    fetched_at: Annotated[Time | None, Field(description="The time at which FinanceHub received the news item.")]
    age_seconds: Annotated[float, Field(description="The time since `published_at` in seconds.")]
    assets: Annotated[
        list[str], Field(description="The symbols of the assets that the headline mentions.", examples=[["BTC-USD"]])
    ]


def news_view(item: NewsItem, now: float) -> NewsView:
    """Return the view of a news item.

    Args:
        item: The news item.
        now: The current time in Unix seconds.
    """
    return {
        "id": item.id,
        "title": item.title,
        "url": item.url,
        "source": item.source,
        "provider": item.provider,
        "published_at": iso_time(item.published_at),
        "fetched_at": iso_time(item.fetched_at),
        "age_seconds": round(now - item.published_at, 3),
        "assets": list(item.assets),
    }
