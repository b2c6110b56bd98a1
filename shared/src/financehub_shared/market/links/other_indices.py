"""Recognizes from the words around the name of an index that it means another index, a fund or a publisher."""

from collections.abc import Collection, Iterable

from financehub_shared.market.links import vocabulary as v
from financehub_shared.market.links.headline import Headline

#: Largest number of words between a name and the word that makes it a longer name.
_LONGEST_REST = 3
#: Publishers after which indices are named, and whose news may begin with their name.
_INDEX_PUBLISHERS = v.word_set("nikkei jones")
#: Words that show that a headline after `Nikkei:` is about the index.
_MARKET_NEWS = v.word_set(
    "index stock stocks shares points yen futures session rally selloff bulls bears market markets"
)
#: Words that are part of an index's own name if they are between its name and Index or Average.
_OWN_INDEX_WORDS = v.word_set("industrial industrials composite stock share benchmark 225 tracker")
#: Words for the relation of two organizations, before or after a name: `Dow Jones, publisher of Barron's`.
_OWNERS_OF_COMPANIES = v.word_set("publisher unit subsidiary owner parent operator arm")
#: Words for what organizations have and indices do not have.
_OFFICES = v.word_set(
    "ceo cfo coo publisher unit arm subsidiary editor editors reporter reporters journalist journalists newsroom"
)
#: Verbs for what organizations do and indices do not do.
_VERBS_OF_ORGANIZATIONS = v.word_set("sues sued hires appoints launches acquires publishes licenses")


def is_not_the_index(headline: Headline, start: int, end: int) -> bool:
    """Whether the words from `start` up to, but not including, `end` mean something other than the index they name."""
    return _is_other_index(headline, start, end) or _is_publisher(headline, start, end)


def is_source(headline: Headline, start: int, end: int) -> bool:
    """Whether a name is the source of the news: `Foxconn to build chip plant: Nikkei`, `Nikkei: Sharp to sell`."""
    token = headline.tokens[start]
    if end == len(headline.tokens):
        return start > 0 and token.gap.strip() in {":", "-", "–", "|"}
    is_heading = start == 0 and headline.tokens[end].gap.strip() == ":"
    is_publisher = headline.tokens[end - 1].key in _INDEX_PUBLISHERS
    return is_heading and is_publisher and not headline.mentions_percent and _MARKET_NEWS.isdisjoint(headline.words)


def _is_publisher(headline: Headline, start: int, end: int) -> bool:
    """Whether a name of an index means the company behind it: `Dow Jones CEO`, `Dow Jones, publisher of Barron's`."""
    before = headline.before(start)
    if before is not None and before.base in _OWNERS_OF_COMPANIES:
        return True
    if end >= len(headline.tokens):
        return False
    after = headline.tokens[end]
    if after.gap.strip() == ",":
        return after.key in _OWNERS_OF_COMPANIES
    return not after.breaks and (after.base in _OFFICES or after.key in _VERBS_OF_ORGANIZATIONS)


def _is_other_index(headline: Headline, start: int, end: int) -> bool:
    """Whether the words around a name make it another index, a company or a fund: `FTSE 250`, `SPDR S&P 500 Growth`."""
    after, following = headline.after(end), headline.after(end + 1)
    if _is_in_phrase(headline, range(start, start - _LONGEST_REST, -1), v.FUND_FAMILIES):
        return True
    if after is None:
        return False
    if _is_in_phrase(headline, range(end + 1, end + 1 + _LONGEST_REST), v.FUND_WORDS):
        return True
    is_number = after.text.isdigit() and len(after.text) in {2, 3} and not headline.tokens[end - 1].text.isdigit()
    is_company = after.capital and after.key in {"bank", "inc", "corp", "group"}
    is_other_number = is_number and not (following is not None and following.key == "points")
    return is_company or is_other_number or _is_longer_index(headline, end)


def _is_longer_index(headline: Headline, end: int) -> bool:
    """Whether the name of another index continues up to Index or Average: `Dow Jones Transportation Average`."""
    continues = False
    for place in range(end, end + _LONGEST_REST + 2):
        token = headline.after(place)
        if token is None or not token.text[0].isupper() or token.key in v.MOVES or token.key in v.AUXILIARIES:
            return False
        if token.key in {"index", "average"}:
            return continues
        readings = headline.readings(token)
        if token.key in v.PREPOSITIONS or ("n" not in readings and not {"z", "d"}.isdisjoint(readings)):
            return False
        continues |= token.key not in _OWN_INDEX_WORDS
    return False


def _is_in_phrase(headline: Headline, places: Iterable[int], words: Collection[str]) -> bool:
    """Whether one of the words is before one of the indexes, without a verb, punctuation or small word between them."""
    for place in places:
        token = headline.before(place)
        if token is None or token.key in v.PREPOSITIONS or token.key in v.MOVES or token.key in v.AUXILIARIES:
            return False
        if token.key in words:
            return True
    return False
