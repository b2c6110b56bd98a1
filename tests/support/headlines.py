"""The labeled headlines, and how well a linker finds their labels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

FOLDER = Path(__file__).parents[1] / "fixtures/news"


@dataclass(frozen=True)
class Labeled:
    """A headline with the assets that a careful editor would link."""

    title: str
    assets: frozenset[str]
    pattern: str


def labeled_headlines(name: str) -> list[Labeled]:
    """Read one of the sets in tests/fixtures/news."""
    entries = yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return [Labeled(entry["title"], frozenset(entry["assets"]), entry["pattern"]) for entry in entries]


@dataclass
class Count:
    """Links that are right, wrong and missing."""

    right: int = 0
    wrong: int = 0
    missing: int = 0

    @property
    def precision(self) -> float:
        """The share of the links that are right; 1 if there are none."""
        return self.right / links if (links := self.right + self.wrong) else 1.0

    @property
    def recall(self) -> float:
        """The share of the labels that were found; 1 if there are none."""
        return self.right / labels if (labels := self.right + self.missing) else 1.0


@dataclass
class Score:
    """The links of all headlines compared with their labels.

    Args:
        total: All headlines together.
        by_pattern: Pattern → its headlines.
        mistakes: One line for each headline with a wrong or missing link.
    """

    total: Count = field(default_factory=Count)
    by_pattern: dict[str, Count] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def table(self, *, mistakes: bool) -> str:
        """Return the confusion table, with a line for each mistake unless the set is a held-out one."""
        rows: Iterable[tuple[str, Count]] = [*sorted(self.by_pattern.items()), ("all", self.total)]
        lines = [f"{'pattern':<20}{'right':>7}{'wrong':>7}{'missing':>9}{'precision':>11}{'recall':>8}"]
        lines += [
            f"{name:<20}{count.right:>7}{count.wrong:>7}{count.missing:>9}{count.precision:>11.3f}{count.recall:>8.3f}"
            for name, count in rows
        ]
        return "\n".join([*lines, *(self.mistakes if mistakes else ())])


def score(link: Callable[[str], Sequence[str]], headlines: Iterable[Labeled]) -> Score:
    """Link each headline and compare the links with its label."""
    result = Score()
    for headline in headlines:
        found = frozenset(link(headline.title))
        pattern = result.by_pattern.setdefault(headline.pattern, Count())
        for count in (result.total, pattern):
            count.right += len(found & headline.assets)
            count.wrong += len(found - headline.assets)
            count.missing += len(headline.assets - found)
        if found != headline.assets:
            wrong, missing = sorted(found - headline.assets), sorted(headline.assets - found)
            result.mistakes.append(f"wrong {wrong}, missing {missing}: {headline.title}")
    return result
