"""The English words that are also names of companies. `tools/english_words.py` writes the list."""

from functools import cache
from importlib import resources
from typing import NamedTuple


class English(NamedTuple):
    """The word list; all words are in lower case.

    Args:
        readings: Ordinary word → its readings as letters, which `english.tsv` explains.
        persons: Names of people, mostly surnames.
        places: Names of places.
        first_names: Given names of people.
        acronyms: Acronyms, including those of companies.
    """

    readings: dict[str, str]
    persons: frozenset[str]
    places: frozenset[str]
    first_names: frozenset[str]
    acronyms: frozenset[str]


@cache
def english() -> English:
    """Return the word list. It is read only once, because reading takes 20 ms."""
    readings: dict[str, str] = {}
    groups: dict[str, frozenset[str]] = {}
    text = resources.files(__package__).joinpath("english.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        letters, tab, words = line.partition("\t")
        if tab and letters.isupper():
            groups[letters] = frozenset(words.split())
        elif tab:
            readings.update(dict.fromkeys(words.split(), letters))
    return English(readings, groups["P"], groups["L"], groups["F"], groups["U"])
