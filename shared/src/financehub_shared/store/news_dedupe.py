"""Which articles are new: by guid, then by canonical URL, then by a near-equal title within 7 days. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from financehub_shared.models import NewsItem
from financehub_shared.news_text import common_words_needed, near_equal, normalise_title

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
        self._titles: list[tuple[str, float]] = []
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)
        for title, published_at in titles:
            self._add_title(title, published_at)

    def _add_title(self, title: str, published_at: float) -> None:
        for word in set(title.split()):
            self._by_word[word].append(len(self._titles))
        self._titles.append((title, published_at))

    def _has_title(self, title: str, published_at: float) -> bool:
        # A near-equal title shares all but a few words with this one, so it holds at least one of any that many
        # plus one; the rarest give the fewest candidates.
        words = sorted(set(title.split()), key=lambda word: len(self._by_word.get(word, ())))
        looked_at: set[int] = set()
        for word in words[: len(words) - common_words_needed(len(words)) + 1]:
            looked_at.update(self._by_word.get(word, ()))
        return any(
            abs(self._titles[index][1] - published_at) <= TITLE_WINDOW and near_equal(self._titles[index][0], title)
            for index in looked_at
        )

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
