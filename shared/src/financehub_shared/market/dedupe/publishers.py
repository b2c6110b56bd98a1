"""Removes what publishers and news agencies add to a headline. Pure.

`Vodafone Group Plc - Final Results` seems to end with a publisher, but does not. Therefore, a suffix is removed only if
it is the item's own publisher or a well-known one. After a colon or in parentheses, a well-known publisher may be the
subject, so only the item's own publisher is removed there.
"""

import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from urllib.parse import urlsplit

from financehub_shared.core.models import NewsItem
from financehub_shared.market.dedupe.quick_checks import may_contain

#: Publishers that aggregators append to titles. The table does not contain names that are also a company in many
#: headlines (`Nasdaq`) or an ordinary word (`Fortune`).
_WELL_KNOWN = """
    24/7 Wall St | ABC News | Al Jazeera | AP | AP News | Associated Press | Axios | Barron's | BBC | BBC News
    Benzinga | Bitcoin Magazine | Bloomberg | Bloomberg Law | Bloomberg News | Business Insider | Business Standard
    Business Wire | CBS News | CNBC | CNBC TV18 | CNN | CNN Business | CoinDesk | CoinTelegraph | Daily Mail
    Engadget | Financial Post | Financial Times | Forbes | Fox Business | Fox News | FT | GlobeNewswire
    GlobeNewswire News Room | Handelsblatt | Insider Monkey | Investing.com | Investopedia
    Investor's Business Daily | InvestorPlace | Investors.com | Kiplinger | Kitco | Kitco News | Les Echos
    Livemint | London South East | MarketBeat | MarketScreener | MarketWatch | Money Control | Morningstar
    Motley Fool | MSN | MSNBC | Nasdaq.com | NBC News | New York Post | New York Times | Nikkei Asia | NPR
    PR Newswire | Proactive Investors | Politico | Quartz | Reuters | Seeking Alpha | Simply Wall St | Sky News
    South China Morning Post | Stock Titan | StockTitan | TechCrunch | The Block | The Daily Telegraph
    The Economic Times | The Economist | The Globe and Mail | The Guardian | The Hindu | The Information
    The Motley Fool | The New York Times | The Street | The Telegraph | The Verge | The Wall Street Journal
    The Washington Post | TheStreet | Times of India | TipRanks | USA Today | US News | Wall Street Journal | WSJ
    Yahoo | Yahoo Finance | Yahoo News | Zacks | Zacks Investment Research | ZDNet
"""
#: Scheme and host of a URL.
_ORIGIN = re.compile(r"[^:/?#]*://[^/?#]*")
#: Number of origins whose names are kept. A feed has one origin; aggregators have a few hundred.
_ORIGINS_MAX = 1_024
_DOMAIN_END = re.compile(r"\.(com|net|org|news|io|de|fr|in|co\.uk|co\.in|com\.au)$")
_SECOND_LEVEL = frozenset({"com", "co", "net", "org", "gov", "ac"})
#: A suffix, and the punctuation before it if it can also introduce a subject: `Ellison's next takeover: CNN`.
_SUFFIX = re.compile(r"^(.*\S)(?:\s+[|·•–—-]+\s+|(\s*:\s+|\s+\())([^|–—]{2,60}?)\)?\s*$")
_SOURCES = re.compile(r"\s*[-–—:,(]\s*(?:sources?|reports?)(?: says?)?\)?$", re.IGNORECASE)
#: Newsrooms whose reports other publishers repeat. The list does not contain listed companies, because a company may
#: report its own results.
_NEWSROOMS = (
    "Reuters|Bloomberg|Bloomberg News|AP|Associated Press|FT|Financial Times|WSJ|Wall Street Journal|CNBC|Nikkei"
)
_ATTRIBUTION = re.compile(
    rf"\s*(?:,|\s[-–—]|:)\s+(?:(?i:the )?(?:{_NEWSROOMS})\s+(?i:reports?|reported)"
    rf"|(?i:(?:the )?company|sources?)\s+(?i:says?|said)"
    rf"|(?i:sources?)\s+(?i:tells?|told)\s+(?i:the )?(?:{_NEWSROOMS}))$"
)
_TAG = re.compile(
    r"[\W_]*(?:"
    # tags such as `UPDATE 1-`, with or without spaces
    r"(?:UPDATE \d+|WRAPUP \d+|RPT|REFILE|CORRECTED|EXCLUSIVE|Exclusive|BREAKING|BRIEF)\s*[-–—:]\s*"
    r"|[\[(]?(?i:breaking(?: news)?|updated?(?: \d+)?|exclusive|watch|video|alert|just in|developing|correct(?:ed|ion)"
    r"|factbox|timeline|graphic|explainer|instant view|analyst view)"
    r"(?:[\])]\s*:?|\s*:|\s+[-–—|])\s+)"
)
_UPDATED = re.compile(r"\s*[\[(](?:updated?|correct(?:ed|ion)|video)[\])]$", re.IGNORECASE)
#: A quick check, and the ending that is removed if it is true, in this order. A check is true for every text in which
#: its pattern finds something.
ENDINGS: Sequence[tuple[Callable[[str], bool], re.Pattern[str]]] = (
    (lambda text: text.endswith((")", "]")), _UPDATED),
    (lambda text: may_contain(text, "report", "say", "said", "tell", "told"), _ATTRIBUTION),
    (lambda text: may_contain(text, "source", "report"), _SOURCES),
)
_DECORATION = re.compile("[\\s\ufe0f🚨⚡❗‼📢📣📰⚠▶►•■●★✅]+")


def squeeze(name: str) -> str:
    """Return a publisher's name in a form for comparisons: `The Wall Street Journal` → `wallstreetjournal`."""
    bare = _DOMAIN_END.sub("", name.strip().casefold().removeprefix("www."))
    return "".join(filter(str.isalnum, bare.removeprefix("the ")))


_KNOWN = frozenset(squeeze(name) for line in _WELL_KNOWN.strip().splitlines() for name in line.split("|"))


def publisher_names(item: NewsItem) -> frozenset[str]:
    """Return the names, in the form of `squeeze`, under which a headline may mention the item's own publisher."""
    origin = _ORIGIN.match(item.url)
    return _names_of(item.source, item.url if origin is None else origin[0])


@lru_cache(_ORIGINS_MAX)
def _names_of(source: str, url: str) -> frozenset[str]:
    names = {source, re.split(r"\s+[-–—|]\s+|:\s", source)[0]}
    labels = (urlsplit(url).hostname or "").removeprefix("www.").split(".")[:-1]
    if len(labels) > 1 and labels[-1] in _SECOND_LEVEL:
        labels.pop()
    names |= {"".join(labels), *labels[-1:]}
    return frozenset(filter(None, map(squeeze, names)))


def bare_headline(title: str, own: AbstractSet[str]) -> str:
    """Return a title without tags (`UPDATE 1-`, `BREAKING:`), sources (`- sources`) and publishers (`- Reuters`).

    Args:
        title: The title.
        own: The names of the item's own publisher; see `publisher_names`.
    """
    # several spaces become one, because the patterns would try every way to split them
    text = _without_start(_DECORATION, " ".join(title.split()))
    while (rest := _without_start(_TAG, text)) not in {text, ""}:
        text = _without_start(_DECORATION, rest)
    while (found := _SUFFIX.match(text)) and _is_publisher(squeeze(found[3]), own, own_only=bool(found[2])):
        text = found[1]
    for check, pattern in ENDINGS:
        if check(text):
            text = pattern.sub("", text)
    return text


def _is_publisher(name: str, own: AbstractSet[str], *, own_only: bool) -> bool:
    return name in own or (not own_only and name in _KNOWN)


def _without_start(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return text[found.end() :] if found else text
