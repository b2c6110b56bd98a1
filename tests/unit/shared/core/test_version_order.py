"""Tests of the order of versions."""

import itertools
import random

import pytest

from financehub_shared.core.release import release_version
from financehub_shared.core.version_order import version_order

#: Versions in order. Those of one line are equal.
_ORDER = (
    ("0.1.0.dev1", "0.1.0-dev.1", "0.1.dev1"),
    ("0.1.0.dev2",),
    ("0.1.0a1", "0.1.0-alpha.1", "0.1.0-alpha1"),
    ("0.1.0b2", "0.1.0-beta.2", "0.1.0beta2"),
    ("0.1.0b10", "0.1.0-beta.10"),
    ("0.1.0rc1", "0.1.0-rc.1", "0.1.0-rc1", "0.1.0c1", "0.1.0-RC.1"),
    ("0.1.0", "0.1", "v0.1.0", "0.1.0+build.7"),
    ("0.1.0.post1",),
    ("0.1.1", "0.1.1+b"),
    ("0.2.0-rc.1",),
    ("0.2.0",),
    ("0.10.0",),
    ("1.0.0-alpha.1",),
    ("1.0.0", "1"),
    ("10.0.0",),
)


def test_versions_are_in_the_order_of_their_releases() -> None:
    """Each version is before all of the later lines, and equal to the others of its line."""
    lines = [(number, text) for number, line in enumerate(_ORDER) for text in line]
    for (first, one), (second, other) in itertools.product(lines, repeat=2):
        left, right = version_order(one), version_order(other)
        assert left is not None, one
        assert right is not None, other
        assert ((left > right) - (left < right)) == ((first > second) - (first < second)), (one, other)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "latest", "main", "0.", ".1", "0..1", "-0.1", "0.1.0-", "0.1.0 ", "0.1.0\n", "0,1", "0.1.x"),
        *("0.1.0-nightly.5", "0.1.0+", "1" * 10, "٣.1", "0.1.0rc1rc2", "sha256:aa", "null"),
    ],
)
def test_text_that_is_not_a_version_has_no_order(text: str) -> None:
    """A text that FinanceHub never writes as its version is recognized, and its order is unknown."""
    assert version_order(text) is None


def test_random_text_never_raises() -> None:
    """Any text has an order or none."""
    source = random.Random(5)
    for _ in range(5000):
        version_order("".join(source.choices("0123456789.-+_abrcdevpost v", k=source.randrange(12))))


def test_version_of_this_release_has_an_order() -> None:
    """FinanceHub's own version can be compared, whatever form its next one has."""
    assert version_order(release_version()) is not None
