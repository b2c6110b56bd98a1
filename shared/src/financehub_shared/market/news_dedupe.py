"""Detects known news items by guid, by canonical URL, and by a similar title within 7 days. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import NewsItem
from financehub_shared.market.news_text import common_words_needed, near_equal_words, normalize_title, numbers_in

#: Seconds within which two similar titles are the same story. Later they are two stories ('Fed holds rates').
TITLE_WINDOW = 7.0 * DAY_SECONDS


def guid_key(item: NewsItem) -> str:
    """Return the key of the item's guid, which is unique only within its publisher; empty if the feed has no guid."""
    return f"{item.source}|{item.guid}" if item.guid else ""


class KnownNews:
    """The known news items. Every accepted item is added to them.

    Args:
        ids: Ids of known news items among the candidates.
        guids: Guid keys of known news items among the candidates.
        titles: (normalized title, publication time) of every known news item within `TITLE_WINDOW` of the candidates.
    """

    def __init__(self, ids: Iterable[str], guids: Iterable[str], titles: Iterable[tuple[str, float]]) -> None:
        self._ids = set(ids)
        self._guids = set(guids)
        self._titles: list[tuple[str, frozenset[str], float]] = []
        self._candidates: defaultdict[tuple[frozenset[str], str], list[int]] = defaultdict(list)
        for title, published_at in titles:
            self._add_title(title, published_at)

    def _add_title(self, title: str, published_at: float) -> None:
        words = frozenset(title.split())
        numbers = numbers_in(words)
        for word in words:
            self._candidates[numbers, word].append(len(self._titles))
        self._titles.append((title, words, published_at))

    def _has_title(self, title: str, published_at: float) -> bool:
        # A similar title has the same numbers and lacks at most n of these words, so it contains at least one of any
        # n + 1 of them. The rarest words give the fewest candidates.
        words = frozenset(title.split())
        numbers = numbers_in(words)
        lists = sorted((self._candidates.get((numbers, word), []) for word in words), key=len)
        candidates = {index for found in lists[: len(words) - common_words_needed(len(words)) + 1] for index in found}
        for known, known_words, known_at in map(self._titles.__getitem__, candidates):
            is_near = abs(known_at - published_at) <= TITLE_WINDOW
            if is_near and (known == title or near_equal_words(known_words, words)):
                return True
        return False

    def accept(self, item: NewsItem) -> bool:
        """Whether the item is new. A new item is known from then on."""
        guid, title = guid_key(item), normalize_title(item.title)
        if item.id in self._ids or (guid and guid in self._guids) or self._has_title(title, item.published_at):
            return False
        self._ids.add(item.id)
        if guid:
            self._guids.add(guid)
        self._add_title(title, item.published_at)
        return True
