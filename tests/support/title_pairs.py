"""The labeled pairs of headlines, and deduplication's decision about two headlines."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import yaml

from financehub_shared.market.dedupe.identity import identify
from financehub_shared.market.dedupe.known_news import KnownNews, Verdict
from support.headlines import FOLDER
from support.market_data import T0, news

#: Returns the assets that a headline names.
Link = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True)
class TitlePair:
    """Two headlines, and whether a careful editor would say that they announce the same article."""

    a: str
    b: str
    same: bool
    pattern: str


def title_pairs(name: str) -> list[TitlePair]:
    """Read one of the sets in tests/fixtures/news."""
    return [TitlePair(**entry) for entry in yaml.load((FOLDER / name).read_text("utf-8"), Loader=yaml.CSafeLoader)]


def link_nothing(title: str) -> tuple[str, ...]:
    """Return no assets, as the linker does if none of the headline's assets is tracked."""
    return ()


def verdict(first: str, second: str, link: Link = link_nothing, later: float = 3_600) -> Verdict | None:
    """Return the decision about the second headline if another publisher had the first one `later` seconds before."""
    known = KnownNews({}, {}, 0)
    one = replace(news("1", first, T0 - 7_200, *link(first), source="Newswire"), fetched_at=T0)
    two = replace(news("2", second, T0 - 7_200 + later, *link(second), source="Gazette"), fetched_at=T0 + later)
    assert known.judge(one, identify(one)) is None
    return known.judge(two, identify(two))
