"""Which articles are new: by guid, then by canonical URL, then by a near-equal title within 7 days. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from financehub_shared.core.models import NewsItem
from financehub_shared.market.news_text import common_words_needed, near_equal_words, normalise_title, numbers_in

#: Within this many seconds two near-equal titles are one story; later it is a new one ('Fed holds rates').
TITLE_WINDOW = 7 * 86_400.0


def guid_key(item: NewsItem) -> str:
    """A guid is unique within its publisher only; empty where the feed has none."""
    return f"{item.source}|{item.guid}" if item.guid else ""


class KnownNews:
    """What is known so far; grows with every item that is accepted.

    Args:
        ids: ids of known articles among those about to be offered.
        guids: their guid keys likewise.
        titles: (normalised title, publication time) of every known article within `TITLE_WINDOW` of the offered.
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
        # A near-equal title has the same numbers and shares all but a few words with this one, so it holds at least
        # one of any that many plus one; the rarest give the fewest candidates.
        words = frozenset(title.split())
        numbers = numbers_in(words)
        lists = sorted((self._candidates.get((numbers, word), []) for word in words), key=len)
        looked_at = {index for found in lists[: len(words) - common_words_needed(len(words)) + 1] for index in found}
        for known, known_words, known_at in map(self._titles.__getitem__, looked_at):
            is_near = abs(known_at - published_at) <= TITLE_WINDOW
            if is_near and (known == title or near_equal_words(known_words, words)):
                return True
        return False

    def accept(self, item: NewsItem) -> bool:
        """Whether the item is new; if so it is known from now on."""
        guid, title = guid_key(item), normalise_title(item.title)
        if item.id in self._ids or (guid and guid in self._guids) or self._has_title(title, item.published_at):
            return False
        self._ids.add(item.id)
        if guid:
            self._guids.add(guid)
        self._add_title(title, item.published_at)
        return True
