"""Writes the word list of the headline linker, `shared/…/market/links/english.tsv`.

Run: python tools/english_words.py DICT WORDNET NAMES OUTPUT

DICT is `/usr/share/dict/american-english` (Debian package wamerican), WORDNET is `/usr/share/wordnet` (Debian package
wordnet-base), and NAMES is the folder of the census lists in the PyPI package `names` (public domain).
"""

# ruff: noqa: INP001 - a script

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

#: Maximum number of letters of a word.
_LONGEST = 13
#: Group of capitalized words → numbers of the lexicographer files of WordNet that contain them.
_PROPER = {"P": {"18"}, "L": {"15", "17"}}
#: How many of the most frequent names of the census are used. Rare names are more often those of companies.
_GIVEN_NAMES, _SURNAMES = (("male", 1_219), ("female", 1_500)), 4_000
_POS = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
_INDEXES = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
#: A reading is left out if its share of the word's uses in the tagged texts of WordNet is smaller than `_RARE`. This
#: keeps 'will' as a noun, but not 'is' as a noun. Words with fewer than `_FEWEST` uses keep all of their readings.
_RARE, _FEWEST = 0.06, 5
#: A word counts as common if the tagged texts use it at least this many times.
_COMMON = 60
#: Words whose only meaning is the asset, so they are not in the list.
_OWN = {"bitcoin", "bitcoins"}
_HEADER = """\
# English words by their readings, for the headline linker. Written by tools/english_words.py.
# n noun, v verb, z verb with -s, d past form, g -ing form, a adjective, r adverb, f none of these, c common;
# P person (mostly surnames), L place, F first name, U acronym.
# The words are from SCOWL: Copyright 2000-2018 by Kevin Atkinson. Permission to use, copy, modify, distribute and sell
# these word lists is granted without fee, provided that this notice appears in all copies. No warranty.
# The readings are from WordNet 3.0: Copyright 2006 by Princeton University. All rights reserved. Permission to use,
# copy, modify and distribute it for any purpose is granted without fee, provided that this notice appears in all
# copies. THE DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES.
# The names of persons are also from the US census of 1990, which is in the public domain.
"""


class WordNet:
    """The readings of lemmas, and how often tagged texts use them.

    Args:
        folder: The folder of WordNet.
    """

    def __init__(self, folder: Path) -> None:
        self.count: Counter[tuple[str, str]] = Counter()
        for line in (folder / "cntlist.rev").read_text().splitlines():
            key, _, times = line.split()
            lemma, _, sense = key.partition("%")
            self.count[lemma, _POS[sense[0]]] += int(times)
        self.readings: dict[str, set[str]] = defaultdict(set)
        for name, letter in _INDEXES.items():
            for line in (folder / f"index.{name}").read_text().splitlines():
                if not line.startswith(" "):
                    self.readings[line.partition(" ")[0]].add(letter)
        for lemma, readings in self.readings.items():
            total = sum(self.count[lemma, reading] for reading in readings)
            if total >= _FEWEST:
                readings -= {reading for reading in readings if self.count[lemma, reading] < _RARE * total}
        self.irregular: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for name in ("noun", "verb"):
            for line in (folder / f"{name}.exc").read_text().splitlines():
                form, *lemmas = line.split()
                self.irregular[form] |= {(lemma, _INDEXES[name]) for lemma in lemmas}
        self.nouns = folder / "data.noun"


def _proper(path: Path, files: set[str]) -> Iterator[str]:
    for line in path.read_text().splitlines():
        fields = line.partition("|")[0].split()
        if line.startswith("  ") or fields[1] not in files:
            continue
        for position in range(int(fields[3], 16)):
            word = fields[4 + 2 * position]
            if re.fullmatch(r"[A-Z][a-z]+", word):
                yield word.lower()


def _lemmas(word: str) -> Iterator[tuple[str, str]]:
    """Yield (lemma, reading of the form) for each regular ending. `s` stands for both a plural and a verb form."""
    rules = (("ies", "y", "s"), ("es", "", "s"), ("s", "", "s"), ("ied", "y", "d"), ("ed", "", "d"), ("ed", "e", "d"))
    for ending, lemma_ending, reading in (*rules, ("ing", "", "g"), ("ing", "e", "g")):
        stem = word.removesuffix(ending)
        if stem != word and not word.endswith("ss"):
            yield stem + lemma_ending, reading
            if reading in "dg" and not lemma_ending and len(stem) > 2 and stem[-1] == stem[-2]:
                yield stem[:-1], reading


def _readings(word: str, wordnet: WordNet, known: set[str]) -> str:
    found = set(wordnet.readings.get(word, ()))
    uses = sum(wordnet.count[word, reading] for reading in found)
    for lemma, reading in _lemmas(word):
        of_lemma = wordnet.readings.get(lemma, set()) if lemma in known else set()
        if "v" in of_lemma:
            found.add("z" if reading == "s" else reading)
            uses = max(uses, wordnet.count[lemma, "v"])
        if reading == "s" and "n" in of_lemma:
            found.add("n")
            uses = max(uses, wordnet.count[lemma, "n"])
    for lemma, reading in wordnet.irregular.get(word, ()):
        if reading in wordnet.readings.get(lemma, set()):
            form = "g" if word.endswith("ing") else "z" if word.endswith("s") else "d"
            found.add(form if reading == "v" else "n")
            uses = max(uses, wordnet.count[lemma, reading])
    return "".join(sorted(found or {"f"})) + ("c" if uses >= _COMMON else "")


def _census(path: Path, ranks: int) -> list[str]:
    return [line.split()[0].lower() for line in path.read_text().splitlines()[:ranks]]


def main(dictionary: Path, wordnet_folder: Path, names: Path, output: Path) -> None:
    """Write the word list, with one line for each set of readings.

    Args:
        dictionary: The word list of Debian (DICT).
        wordnet_folder: The folder of WordNet (WORDNET).
        names: The folder of the census lists (NAMES).
        output: The file to write.
    """
    words = dictionary.read_text(encoding="utf-8").split()
    known = {word for word in words if re.fullmatch(r"[a-z]+", word) and len(word) <= _LONGEST} - _OWN
    wordnet = WordNet(wordnet_folder)
    groups: dict[str, list[str]] = defaultdict(list)
    for word in sorted(known):
        groups[_readings(word, wordnet, known)].append(word)
    groups["U"] = sorted({word.lower() for word in words if re.fullmatch(r"[A-Z]{2,6}", word)})
    for group, files in _PROPER.items():
        groups[group] = sorted(set(_proper(wordnet.nouns, files)))
    groups["P"] = sorted({*groups["P"], *_census(names / "dist.all.last", _SURNAMES)})
    groups["F"] = sorted(
        {name for gender, ranks in _GIVEN_NAMES for name in _census(names / f"dist.{gender}.first", ranks)}
    )
    lines = [f"{readings}\t{' '.join(members)}\n" for readings, members in sorted(groups.items())]
    output.write_text(_HEADER + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
