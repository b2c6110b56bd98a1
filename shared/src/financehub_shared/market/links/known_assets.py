"""Reads the names that headlines use for well-known assets from `known_assets.tsv`."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

#: A name with its marks, which `known_assets.tsv` explains.
_MARKED = re.compile(r"(!?)([^=]+)(?:=(\d))?")


class KnownAsset(NamedTuple):
    """The facts about one asset.

    Args:
        names: Names in headlines.
        doubts: Name in lower case → the evidence that it needs, if it differs from what the word list would demand.
        own: Words that show that an ambiguous name means this asset.
        other: Words that show that an ambiguous name means something else.
        unlike: Words that make it likely that an ambiguous name means something else.
        listings: Additional listings, in the form `EXCHANGE:TICKER`.
    """

    names: tuple[str, ...] = ()
    doubts: Mapping[str, int] = MappingProxyType({})
    own: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()
    unlike: frozenset[str] = frozenset()
    listings: tuple[str, ...] = ()


_UNKNOWN = KnownAsset()


@cache
def known_assets() -> dict[str, KnownAsset]:
    """Return the facts by canonical symbol. Entities that are never linked have the symbols `-1`, `-2`, and so on."""
    table: dict[str, KnownAsset] = {}
    text = resources.files(__package__).joinpath("known_assets.tsv").read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines()):
        if line.startswith("#") or not line.strip():
            continue
        symbols, names, own, other, listings, *_ = [*line.split("\t"), "", "", "", ""]
        marked = [_MARKED.fullmatch(name) for name in names.split(";")]
        known = KnownAsset(
            tuple(mark[2] for mark in marked if mark),
            {mark[2].lower(): int(mark[3] or 0) for mark in marked if mark and (mark[1] or mark[3])},
            frozenset(own.split()),
            frozenset(word for word in other.split() if not word.startswith("~")),
            frozenset(word[1:] for word in other.split() if word.startswith("~")),
            tuple(filter(None, listings.split(";"))),
        )
        for symbol in symbols.split():
            table[f"-{number}" if symbol == "-" else symbol] = known
    return table


def known_asset(symbol: str) -> KnownAsset:
    """Return the facts about an asset. All fields are empty if the asset is not well known."""
    known = known_assets()
    base, dash, _ = symbol.partition("-")
    # a coin has the same names in every currency; LTC without a currency is LTC Properties, and not Litecoin
    return known.get(symbol) or (known.get(f"{base}-USD", _UNKNOWN) if dash else _UNKNOWN)
