"""Finds names that are written in scripts other than Latin: `ソニー`, `Яндекс`, `أرامكو`.

All other modules read Latin letters, because their rules are for English. A name in another script does not need more
evidence: it is linked wherever it is a separate word, or anywhere if its script has no spaces between words.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from financehub_shared.core.models import Asset
from financehub_shared.market.links.known_assets import known_asset, known_assets
from financehub_shared.market.links.tokens import has_other_script

#: Legal forms before and after names.
_LEGAL_FORM = re.compile(
    r"^(?:株式会社|\(株\)|주식회사|\(주\)|(?:ПАО|ОАО|АО|ООО|ТОО)\s)|(?:株式会社|\(株\)|股份有限公司|有限公司|주식회사|\(주\))$"
)
#: Script → pattern of the letters that cannot be directly before or after a name. It is empty for scripts without
#: spaces between words.
_NOT_ADJACENT = {
    **dict.fromkeys(("CJK", "HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR"), ""),
    # アップル is not a name in パイナップル
    **dict.fromkeys(("KATAKANA", "KATAKANA-HIRAGANA"), "[\u30a1-\u30fa\u30fc-\u30ff]"),
    **dict.fromkeys(("LATIN", "DIGIT"), "[A-Za-z0-9]"),
}
#: In Arabic, short words such as `and`, `in` and `for`, and the article, are joined to the next word.
_AFTER_JOINED = r"(?:(?<!\w)|(?<=\W[وبلفك])|(?<=\Wال)|(?<=\W[وبلفك]ال))"
#: Script → pattern of the case endings and particles that can follow a name in the same word (`Яндекса`,
#: `삼성전자는`).
_ENDINGS = {
    **dict.fromkeys(("CYRILLIC", "GREEK", "HANGUL"), r"\w{0,3}"),
    **dict.fromkeys(("KATAKANA", "KATAKANA-HIRAGANA"), "(?:グループ|ホールディングス)?"),
}
#: Script → number of letters of the shortest name that such an ending can follow. A shorter name may be the beginning
#: of a word.
_SHORTEST = {"CYRILLIC": 4, "GREEK": 4, "HANGUL": 2}


class _Spelling(NamedTuple):
    """A name in another script.

    Args:
        name: The name.
        before: Pattern of the position at which it can begin.
        after: Pattern of what can follow it in the same word.
        symbols: Canonical symbols of the assets that have this name.
    """

    name: str
    before: re.Pattern[str]
    after: re.Pattern[str]
    symbols: set[str]


class OtherScripts:
    """Finds the names of assets that contain letters other than Latin.

    Args:
        assets: The assets, with their names and aliases. Well-known assets have further names.
    """

    def __init__(self, assets: Iterable[Asset]) -> None:
        owners: defaultdict[str, set[str]] = defaultdict(set)
        for asset in assets:
            for name in _foreign((asset.name, *asset.aliases, *known_asset(asset.symbol).names)):
                owners[name].add(asset.symbol)
        # no part of the name of an entity that is not tracked is linked: `比特币现金` is not `比特币`
        for name in _untracked_names():
            owners.setdefault(name, set())
        self._by_beginning: defaultdict[str, list[_Spelling]] = defaultdict(list)
        for name in sorted(owners, key=len, reverse=True):
            self._by_beginning[name[:2]].append(_Spelling(name, *_surroundings(name), owners[name]))

    def find(self, title: str) -> set[str]:
        """Return the canonical symbols of the assets that a headline names in another script."""
        found: set[str] = set()
        if not self._by_beginning or title.isascii():
            return found
        text, place = f" {_fold(title).casefold()}", 0
        while place < len(text):
            end = place + 1
            for name, before, after, symbols in self._by_beginning.get(text[place : place + 2], ()):
                if text.startswith(name, place) and before.match(text, place) and after.match(text, place + len(name)):
                    found |= symbols
                    end = place + len(name)
                    break
            place = end
        return found


def _foreign(texts: Iterable[str]) -> Iterator[str]:
    """Yield the names that contain letters other than Latin, without legal forms."""
    for text in texts:
        name = "" if text.isascii() else _LEGAL_FORM.sub("", _fold(text)).strip()
        if len(name) > 1 and has_other_script(name):
            yield name.casefold()


@cache
def _untracked_names() -> tuple[str, ...]:
    """Return the names of all well-known entities, which only count if they are not those of a tracked asset."""
    return tuple(name for known in known_assets().values() for name in _foreign(known.names))


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _surroundings(name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns that must match before and after a name."""
    first, last = (unicodedata.name(char, "").partition(" ")[0] for char in (name[0], name[-1]))
    before, after = _NOT_ADJACENT.get(first, r"\w"), _NOT_ADJACENT.get(last, r"\w")
    start = _AFTER_JOINED if first == "ARABIC" else before and f"(?<!{before})"
    ending = _ENDINGS.get(last, "") if len(name) >= _SHORTEST.get(last, 0) else ""
    return re.compile(start), re.compile(ending + (after and f"(?!{after})"))
