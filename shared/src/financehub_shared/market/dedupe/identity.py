"""Computes the keys by which a news item is recognized. Pure."""

import hashlib
from dataclasses import dataclass

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS
from financehub_shared.core.models import NewsItem

#: Seconds within which two headlines of the same story announce the same article. It is less than a day, because daily
#: headlines recur (`Bitcoin rises as Fed meets`) and are not published at the same minute every day.
STORY_WINDOW = 18.0 * HOUR_SECONDS
#: Seconds within which two equal short headlines announce the same article. A short headline names only an asset or a
#: figure, and an event (`Gold slips`).
SHORT_WINDOW = 2.0 * HOUR_SECONDS
#: An item counts as undated if its publication time is less than this many seconds before the fetch. Such an item has
#: no date, or a new one at each fetch.
UNDATED_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class NewsIdentity:
    """The keys by which a news item is recognized.

    A guid alone identifies nothing, because some feeds give all articles the same guid. Therefore, its keys also
    contain the date or the title.

    Args:
        link: The item's id, a hash of its canonical URL.
        guids: Keys of the guid with the date, if the date has a time, and of the guid with the title. Empty without a
            guid.
        former_guids: The keys of the guid in earlier releases, whose guids did not begin with the label of the feed.
        undated_title: Key of the publisher and the story. Empty if the item has a date, or its title tells no story.
        story: Key of the story and of the assets that the title names. Empty if the title tells no story.
        window: Seconds within which two items with the same `story` announce the same article.
        words: Key of the whole title.
    """

    link: str
    guids: tuple[str, ...]
    former_guids: tuple[str, ...]
    undated_title: str
    story: str
    window: float
    words: str


def identify(item: NewsItem) -> NewsIdentity:
    """Return the keys of a news item. It must already be linked to its assets."""
    # most processes read news and never compare headlines, whose patterns take 40 ms to compile
    from financehub_shared.market.dedupe.publishers import bare_headline, publisher_names
    from financehub_shared.market.dedupe.tickers import without_tickers
    from financehub_shared.market.dedupe.titles import read_headline

    headline = read_headline(without_tickers(bare_headline(item.title, publisher_names(item)), item.assets))
    story = _key(headline.story, *item.assets) if headline.story else ""
    is_short = not story and headline.has_event and (headline.has_figure or item.assets)
    is_undated = 0 <= item.fetched_at - item.published_at < UNDATED_SECONDS
    # a date without a time is not evidence, because many articles of a day share it
    date = "" if item.published_at % DAY_SECONDS == 0 else repr(item.published_at)
    evidence = [text for text in (date, headline.words) if text]
    _, _, former_guid = item.guid.partition(" ")
    return NewsIdentity(
        link=item.id,
        guids=tuple(_key(item.source, item.guid, text) for text in evidence if item.guid),
        former_guids=tuple(_key(item.source, former_guid, text) for text in evidence if former_guid),
        undated_title=_key(item.source, story) if is_undated and story else "",
        story=_key("short", headline.words, *item.assets) if is_short else story,
        window=SHORT_WINDOW if is_short else STORY_WINDOW,
        words=_key(headline.words),
    )


def story_bucket(identity: NewsIdentity, at: float) -> int:
    """Return the time bucket, as long as the story's window, that contains a publication time in Unix seconds."""
    return int(at // identity.window)


def story_buckets(identity: NewsIdentity, at: float) -> range:
    """Return the buckets that can contain the same story if an item is published at `at`, in Unix seconds."""
    bucket = story_bucket(identity, at)
    return range(bucket - 1, bucket + 2)


def _key(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=10).hexdigest()
