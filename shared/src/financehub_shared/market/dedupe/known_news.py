"""Decides which news items are new. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from financehub_shared.core.models import NewsItem
from financehub_shared.market.dedupe.identity import STORY_WINDOW, NewsIdentity, story_bucket, story_buckets


class DropReason(StrEnum):
    """Why a news item is not stored."""

    TOO_OLD = "too-old"
    KNOWN_LINK = "known-link"
    KNOWN_GUID = "known-guid"
    SAME_TITLE = "same-title"
    NEAR_EQUAL_TITLE = "near-equal-title"


class Verdict(NamedTuple):
    """Why a news item is dropped.

    Args:
        reason: The reason.
        known_id: Id of the known news item that announces the same article. Empty if the id is not known.
    """

    reason: DropReason
    known_id: str = ""


class DroppedNews:
    """Counts the dropped news items by reason, and keeps an example of each reason."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[DropReason, tuple[NewsItem, Verdict]] = {}

    def add(self, item: NewsItem, verdict: Verdict) -> None:
        """Count a dropped item."""
        self.counts[verdict.reason.value] += 1
        self.examples.setdefault(verdict.reason, (item, verdict))


@dataclass(frozen=True, slots=True)
class KnownStory:
    """The news item that is stored for a story in one time bucket; see `story_bucket`.

    Args:
        published_at: Time of publication in Unix seconds.
        words: Key of its whole title.
        id: Id of the news item.
    """

    published_at: float
    words: str
    id: str


#: The time bucket and the key of a story.
StoryPlace = tuple[int, str]


class KnownNews:
    """The known news items. Every judged item is known from then on.

    Args:
        seen: Key of a link, guid or undated title → Unix seconds of the last fetch in which a source had it.
        stories: Time bucket and key of a story → news item that is stored for it.
        oldest: News items that were published before this time in Unix seconds are too old.
    """

    def __init__(self, seen: Mapping[str, float], stories: Mapping[StoryPlace, KnownStory], oldest: float) -> None:
        self._seen = dict(seen)
        self._stories = dict(stories)
        self._oldest = oldest
        #: Key of a judged item → Unix seconds of its fetch.
        self.sighted: dict[str, float] = {}
        #: The stories of the new items.
        self.new_stories: dict[StoryPlace, KnownStory] = {}

    def judge(self, item: NewsItem, identity: NewsIdentity) -> Verdict | None:
        """Return why an item is dropped, or None if it is new."""
        verdict = self._verdict(item, identity)
        sighted = [identity.link, *identity.guids]
        # The title of an item with a known link does not count as seen again. Otherwise, yesterday's undated article
        # would hide today's article with the same title.
        if identity.undated_title and (verdict is None or verdict.reason is not DropReason.KNOWN_LINK):
            sighted.append(identity.undated_title)
        for key in sighted:
            self._seen[key] = self.sighted[key] = item.fetched_at
        if verdict is None and identity.story:
            place = story_bucket(identity, item.published_at), identity.story
            self._stories[place] = self.new_stories[place] = KnownStory(item.published_at, identity.words, item.id)
        return verdict

    def _verdict(self, item: NewsItem, identity: NewsIdentity) -> Verdict | None:
        if item.published_at < self._oldest:
            return Verdict(DropReason.TOO_OLD)
        if identity.link in self._seen:
            return Verdict(DropReason.KNOWN_LINK, identity.link)
        if any(key in self._seen for key in (*identity.guids, *identity.former_guids)):
            return Verdict(DropReason.KNOWN_GUID)
        if identity.story and (told := self._told(item, identity)):
            return told
        sighted_at = self._seen.get(identity.undated_title)
        if sighted_at is not None and abs(item.fetched_at - sighted_at) <= STORY_WINDOW:
            return Verdict(DropReason.SAME_TITLE)
        return None

    def _told(self, item: NewsItem, identity: NewsIdentity) -> Verdict | None:
        for bucket in story_buckets(identity, item.published_at):
            known = self._stories.get((bucket, identity.story))
            if known is not None and abs(known.published_at - item.published_at) <= identity.window:
                is_equal = known.words == identity.words
                return Verdict(DropReason.SAME_TITLE if is_equal else DropReason.NEAR_EQUAL_TITLE, known.id)
        return None
