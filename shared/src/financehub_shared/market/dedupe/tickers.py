"""Removes the tickers that headlines add to names of companies and coins. Pure."""

import re
from collections.abc import Collection

from financehub_shared.market.dedupe.words import BASE_FORM, ENGLISH, HARMLESS

#: A ticker in parentheses, without an exchange or with one whose tickers are canonical symbols. `(LSE: ABC)` is a
#: different company from ABC in New York.
_TICKER = re.compile(
    r"(?<=[\w.'’])\s+"
    r"\((?:(?:NYSE|NASDAQ|Nasdaq(?:G[SM]|CM)?|NYSE ?(?:American|AMERICAN|ARCA|Arca)|AMEX|CRYPTO)\s?:\s?)?"
    r"([A-Z][A-Z0-9.-]{0,11})\)"
)
_LAST_WORD = re.compile(r"[\w.'’&-]+$")


def without_tickers(title: str, assets: Collection[str]) -> str:
    """Return a headline without the tickers after names: `Coinbase (COIN) to buy` → `Coinbase to buy`.

    Only tickers of linked assets are removed, because titles that are linked to different assets tell different
    stories.

    Args:
        title: The title.
        assets: Canonical symbols of the assets that it is linked to.
    """
    tickers = {symbol.removesuffix("-USD") for symbol in assets}
    return _TICKER.sub(lambda found: "" if found[1] in tickers and _follows_a_name(found) else found[0], title)


def _follows_a_name(found: re.Match[str]) -> bool:
    """Whether a name precedes the ticker. In `Acme Sues (ABC)`, the ticker itself is the name."""
    last = _LAST_WORD.search(found.string[: found.start()])
    if last is None or not last[0][0].isupper():
        return False
    word = last[0].casefold()
    return word not in ENGLISH and word not in HARMLESS and word not in BASE_FORM
