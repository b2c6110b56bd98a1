"""Tests that each `make` target of tests is run by the continuous integration and listed for developers."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
_TARGETS = re.findall(r"^(test(?:-[a-z]+)?):", _MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("target", _TARGETS)
@pytest.mark.parametrize("file", [".ci/run", "tests/README.md"])
def test_target_of_tests_is_named(target: str, file: str) -> None:
    """No target of tests is forgotten when everything runs, or by the list of the folders of tests."""
    assert re.search(rf"\bmake {target}(?![a-z-])", (ROOT / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("mark", ["faults", "release"])
def test_marked_tests_have_a_target_instead_of_make_test(mark: str) -> None:
    """`make test` leaves out the tests of a mark exactly because another target runs them."""
    recipes = dict(re.findall(r"^(test(?:-[a-z]+)?):.*\n((?:\t.*\n)+)", _MAKEFILE, re.MULTILINE))
    assert re.search(rf'-m ".*\bnot {mark}\b', recipes["test"])
    assert re.search(rf'-m "?{mark}\b', recipes[f"test-{mark}"])
