"""What followers say about a missing predecessor is found in small steps and remembered."""

import pytest

from financehub_scheduler.core.missing_names import MissingNames
from financehub_shared.spec.predecessors import missing

NAMES = frozenset(f"default/fetch-prices-{number:05d}" for number in range(5_000))


def test_descriptions_of_many_followers_need_few_comparisons_per_step() -> None:
    """Each follower has a problem at once, and similar names are looked for in the steps after that, once."""
    followers = {(f"default/f{number}", f"default/fetch-price-{number:05d}") for number in range(8)}
    found, hints = MissingNames(), []
    for _ in range(5):
        found.begin_step(NAMES, followers)
        told = [found.describe(*follower) for follower in sorted(followers)]
        assert all(each.reason == "PredecessorMissing" for each in told)
        hints.append(sum("did you mean" in each.problem for each in told))
    assert hints == [3, 6, 8, 8, 8]
    found.begin_step(set(NAMES), followers)
    assert all(found.describe(*follower) is told[at] for at, follower in enumerate(sorted(followers)))


def test_description_after_a_change_of_the_names_is_the_earlier_one_until_it_is_found_again() -> None:
    """A schedule that is added or removed changes what may be meant, again in small steps."""
    followers = {(f"default/f{number}", "default/news") for number in range(4)}
    found = MissingNames()
    for _ in range(2):
        found.begin_step({"default/bars"}, followers)
        before = [found.describe(*follower).problem for follower in sorted(followers)]
    assert all("write one of bars" in each for each in before)
    hints = []
    for _ in range(2):
        found.begin_step({"default/new"}, followers)
        hints.append([found.describe(*follower).problem[-4:] for follower in sorted(followers)])
    assert hints == [["new?"] * 3 + ["bars"], ["new?"] * 4]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("fetch-price-01234", "fetch-prices-01234"),
        ("etch-prices-04321", "fetch-prices-04321"),
        ("fetch-prices-4321", "fetch-prices-04321"),
        ("fetch-pricse-00077", "fetch-prices-00077"),
    ],
)
def test_missing_predecessor_among_thousands_of_similar_names_is_proposed(written: str, meant: str) -> None:
    """Only a part of the names is compared in full, and the one that is meant is among them."""
    assert f"did you mean {meant}" in missing(f"default/{written}", NAMES).problem
