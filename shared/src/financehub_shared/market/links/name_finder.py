"""Decides which names in a headline mean assets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from financehub_shared.market.links import vocabulary as v
from financehub_shared.market.links.evidence import IMPOSSIBLE, points
from financehub_shared.market.links.headline import Headline, neighbors_in_list
from financehub_shared.market.links.name_index import NameIndex, is_of_family
from financehub_shared.market.links.names import Doubt, Name
from financehub_shared.market.links.notation import Note, NoteKind
from financehub_shared.market.links.other_meanings import is_another_name, is_shouted_word
from financehub_shared.market.links.owners import Family, Owner
from financehub_shared.market.links.tokens import Style

#: Points of a name that is in a list with another asset of its family: `Target and Walmart`.
_IN_A_LIST = 2
#: Number of words of a longer name between a known name and a notation: `Meta Materials (NASDAQ: MMAT)`.
_LONGEST_REST = 3


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in a headline.

    Args:
        start: Index of its first word.
        end: Index after its last word.
        symbols: The assets that it means. The symbol is empty for an entity that is not tracked.
        lacking: Number of points that the name lacks. 0 if it is accepted.
    """

    start: int
    end: int
    symbols: tuple[str, ...]
    lacking: int = 0


class NameFinder:
    """Finds names and judges them.

    Args:
        index: The names of all assets.
        owners: Canonical symbol → the asset.
    """

    def __init__(self, index: NameIndex, owners: Mapping[str, Owner]) -> None:
        self._index = index
        self._owners = owners

    def find(self, headline: Headline) -> list[Mention]:
        """Return the names that mean assets. At each position, only the longest name counts."""
        found: list[Mention] = []
        doubtful: list[Mention] = []
        place = 0
        while place < len(headline.tokens):
            end = place + 1
            for name_end, names in self._index.candidates(headline, place):
                mention = self._judge(headline, place, name_end, names)
                if mention.lacking <= 0:
                    found.append(mention)
                    end = name_end
                    break
                if mention.lacking <= _IN_A_LIST:
                    doubtful.append(mention)
            place = end
        return found + self._in_lists(headline, found, doubtful) if found and doubtful else found

    def _judge(self, headline: Headline, start: int, end: int, names: list[Name]) -> Mention:
        """Return the assets that a name means, and how many points it lacks."""
        noted = [name for name in names if _is_noted(name, headline, end)]
        if noted:
            return Mention(start, end, tuple(name.symbol for name in noted))
        lacking = [name.doubt - self._points(name, headline, start, end) for name in names]
        if len({self._owners[name.symbol].kind for name in names if name.symbol}) < 2:
            # these are listings of one company, so points beyond those that a listing needs do not matter
            lacking = [max(points, 0) for points in lacking]
        least = min(lacking)
        likely = [name for name, points in zip(names, lacking, strict=True) if points == least]
        # without further evidence, `Dow` means the index more often than the company
        likely = [name for name in likely if is_of_family(name, self._owners, Family.MARKET)] or likely
        return Mention(start, end, tuple(name.symbol for name in likely), max(least, 0))

    def _points(self, name: Name, headline: Headline, start: int, end: int) -> int:
        owner = self._owners.get(name.symbol)
        if owner is None:
            return 0
        note, distance = _note_after(headline, end)
        is_noted = note is not None and name.symbol in note.symbols
        is_of_another = not is_noted and _is_of_another_asset(owner, note, distance)
        is_doubted = name.doubt >= Doubt.SOME and not name.acronym
        is_other_word = is_doubted and is_shouted_word(headline, start, name.symbol)
        if is_of_another or is_other_word or is_another_name(headline, start, end, owner):
            return IMPOSSIBLE
        if name.acronym and not headline.tokens[start].shouted:
            return points(headline, start, end, owner) - Doubt.LITTLE  # `Dax Shepard`
        # in sentence style, the capitals of several words are enough evidence: `First Solar`
        is_phrase = len(name.words) > 1 and name.doubt is Doubt.LITTLE and headline.style is Style.SENTENCE
        is_phrase &= owner.known.other.isdisjoint(headline.words)
        if not name.doubt or is_phrase:
            return name.doubt
        return points(headline, start, end, owner)

    def _in_lists(self, headline: Headline, found: Iterable[Mention], doubtful: list[Mention]) -> list[Mention]:
        """Return the doubtful names that are in a list with an accepted name of their family."""
        families = {place: self._families(mention) for mention in found for place in range(mention.start, mention.end)}
        accepted: list[Mention] = []
        # one pass in each direction, because each accepted name supports its neighbors
        for mention in (*doubtful, *reversed(doubtful)):
            places, own = range(mention.start, mention.end), self._families(mention)
            if not families.keys().isdisjoint(places) or _continues(headline, mention):
                continue
            neighbors = neighbors_in_list(headline, mention.start, mention.end)
            if any(own & families.get(place, set()) for place in neighbors):
                accepted.append(mention)
                families.update(dict.fromkeys(places, own))
        return accepted

    def _families(self, mention: Mention) -> set[Family]:
        return {self._owners[symbol].family for symbol in mention.symbols if symbol}


def _continues(headline: Headline, mention: Mention) -> bool:
    """Whether a doubtful name qualifies the next word, as in `Walmart and Target Date Funds`."""
    after = headline.after(mention.end)
    if after is None or mention.lacking <= 1:
        return False
    return after.key not in v.CONNECTORS and after.key not in v.BUSINESS_VERBS and after.key not in v.MOVES


def _is_of_another_asset(owner: Owner, note: Note | None, distance: int) -> bool:
    """Whether a notation after a name shows that it means another asset: `Meta Materials (NASDAQ: MMAT)`."""
    if note is None:
        return False
    return (distance > 0 and note.kind is not NoteKind.PAIR) or (note.exchange and owner.family is Family.COIN)


def _is_noted(name: Name, headline: Headline, end: int) -> bool:
    """Whether a notation after a name shows that it means this asset: `Vodafone (LON: VOD)`."""
    note, distance = _note_after(headline, end)
    if note is None or name.symbol not in note.symbols:
        return False
    return not distance or not name.doubt or note.kind is not NoteKind.BARE


def _note_after(headline: Headline, end: int) -> tuple[Note | None, int]:
    """Return the notation after a name, and the number of words between them that make the name longer."""
    for distance in range(_LONGEST_REST + 1):
        place = end + distance
        after = headline.after(place)
        if after is None:
            break
        if after.noted:
            return headline.notes.get(place), distance
        if after.base in v.LEGAL_FORMS:
            return headline.notes.get(place + 1), 0
        is_verb = after.key in v.BUSINESS_VERBS or after.key in v.AUXILIARIES or after.key in v.MOVES
        if place + 1 in headline.notes and headline.readings(after) == "n":
            is_verb = False  # `Ford Equity Fund (NYSEARCA: FEF)`
        if is_verb or not after.capital or after.gap == "-" or after.base in v.ROLES:
            break
        if headline.readings(after) == "f":
            break
    return None, 0
