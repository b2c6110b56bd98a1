"""Tests of the labeled headlines, because a mistyped label would count as an error of the linker."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "fixtures/news"
SETS = ("headlines.yaml", "headlines_held_out.yaml")
ALL_SETS = (*SETS, "headlines_blind_2.yaml")


def _load(name: str) -> Any:
    return yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


@pytest.mark.parametrize("name", ALL_SETS)
def test_headlines_every_label_is_a_known_asset(name: str) -> None:
    """Each entry has exactly a title, labels and a pattern. Each label is a symbol of assets.yaml and occurs once."""
    known = {asset["symbol"] for asset in _load("assets.yaml")["assets"]}
    for entry in _load(name):
        assert set(entry) == {"title", "assets", "pattern"}, entry
        assert set(entry["assets"]) <= known, entry
        assert len(set(entry["assets"])) == len(entry["assets"]), entry


def test_headlines_titles_are_unique_across_all_sets() -> None:
    """No title occurs twice, so each set measures headlines that the linker was not developed with."""
    titles = Counter(entry["title"].casefold() for name in ALL_SETS for entry in _load(name))
    assert [title for title, count in titles.items() if count > 1] == []


@pytest.mark.parametrize("name", SETS)
def test_headlines_cover_patterns_and_headlines_without_links(name: str) -> None:
    """Each set has at least 200 headlines, 12 patterns with 5 headlines each, and 30 to 45 % without a link."""
    entries = _load(name)
    patterns = Counter(entry["pattern"] for entry in entries)
    without = sum(not entry["assets"] for entry in entries) / len(entries)
    assert len(entries) >= 200
    assert len(patterns) >= 12
    assert min(patterns.values()) >= 5
    assert 0.30 <= without <= 0.45


def test_headlines_both_sets_have_the_same_patterns() -> None:
    """The held-out set measures the patterns that the development set shows."""
    first, second = ({entry["pattern"] for entry in _load(name)} for name in SETS)
    assert first == second
