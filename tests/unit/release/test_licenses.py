"""Tests that the license of every pinned distribution is known, reviewed and allowed, and that NOTICE states it."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from releasing import notice
from releasing.errors import ReleaseError
from releasing.licenses import Row, alternatives, problems, read_pins, read_table
from releasing.version import ROOT

REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
TABLE = read_table()
#: The classifiers of metadata without an SPDX expression → how such an expression begins.
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-",
    "GNU Affero General Public License v3": "AGPL-3.0",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
#: Distributions whose classifier is wrong: the text of the license in the distribution is another.
_WRONG_CLASSIFIERS = {"requests-oauthlib": "ISC"}


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.stem)
def test_licenses_of_a_requirement_file_are_allowed(path: Path) -> None:
    """No distribution is under the AGPL or the GPL, at run time or in development, and LGPL and MPL are reviewed."""
    pins = read_pins(path)
    assert pins
    assert problems([pin.name for pin in pins], TABLE) == []


def test_table_lists_exactly_the_pinned_distributions() -> None:
    """A distribution that is added needs a line, and one that is removed loses it."""
    assert {pin.name for path in REQUIREMENTS for pin in read_pins(path)} == TABLE.keys()


def test_table_is_sorted() -> None:
    """The lines are in the order of their names, so that a line is found and added in one place."""
    assert list(TABLE) == sorted(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_table_agrees_with_the_metadata_of_the_installed_distribution(name: str) -> None:
    """If a new version of a distribution changes its license, its line must follow."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("installed only for make bench, or on another system")
    license = TABLE[name].license
    if expression := (metadata.get_all("License-Expression") or [""])[0]:
        assert alternatives(license) == alternatives(expression)
        return
    classifiers = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or []]
    stated = [_CLASSIFIERS[each] for each in classifiers if each in _CLASSIFIERS]
    if name in _WRONG_CLASSIFIERS:
        assert license == _WRONG_CLASSIFIERS[name]
    elif stated:
        assert all(one in license for one in stated)


@pytest.mark.parametrize(
    ("license", "review", "wrong"),
    [
        ("MIT", "", ""),
        ("AGPL-3.0-only", "reviewed", "refused"),
        ("AGPL-3.0-or-later OR GPL-3.0-only", "reviewed", "refused"),
        ("GPL-2.0-or-later", "reviewed", "refused"),
        ("MIT AND GPL-3.0-only", "reviewed", "refused"),
        ("GPL-3.0-only AND MIT", "reviewed", "refused"),
        ("(GPL-3.0-only OR ISC) AND MIT", "", ""),
        ("(GPL-3.0-only OR ISC) AND MPL-2.0", "", "what makes its use right"),
        ("MIT OR GPL-3.0-only", "", ""),
        ("SSPL-1.0", "reviewed", "refused"),
        ("LGPL-3.0-or-later", "", "what makes its use right"),
        ("LGPL-3.0-or-later", "Unmodified.", ""),
        ("MPL-2.0", "", "what makes its use right"),
        ("MPL-2.0 OR MIT", "", ""),
        ("MIT AND MPL-2.0", "", "what makes its use right"),
    ],
)
def test_policy_refuses_what_would_apply_to_others(license: str, review: str, wrong: str) -> None:
    """An `OR` is allowed if one choice is, an `AND` only if all are, and a review never allows the GPL."""
    found = problems(["one"], {"one": Row("one", license, review)})
    assert len(found) == int(bool(wrong))
    assert all(wrong in each for each in found)


def test_unknown_distribution_is_named_with_the_fix() -> None:
    """A pinned distribution without a line is refused with the file and what to write."""
    (problem,) = problems(["new"], {})
    assert problem == "new is missing in licenses.tsv; add a line with its license as an SPDX expression"


@pytest.mark.parametrize("line", ["one\tBSD", "one\tMIT License", "one\t", "one"])
def test_table_with_a_license_that_is_not_spdx_is_refused(tmp_path: Path, line: str) -> None:
    """Each line has an SPDX expression, so that programs can read NOTICE and the bills of materials."""
    (tmp_path / "licenses.tsv").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(ReleaseError, match="write an SPDX expression"):
        read_table(tmp_path / "licenses.tsv")


def test_notice_is_the_generated_one() -> None:
    """NOTICE follows the requirement files and the table."""
    assert (ROOT / "NOTICE").read_text(encoding="utf-8") == notice.render(), "run `make notice`"


@pytest.mark.parametrize("name", ["dramatiq", "certifi"])
def test_notice_states_why_a_copyleft_distribution_is_right(name: str) -> None:
    """NOTICE says where the source of a distribution under the LGPL or the MPL is, and that it is not modified."""
    (line,) = re.findall(rf"^  {name} \((?:LGPL|MPL)-.*\): (.*)$", notice.render(), re.MULTILINE)
    assert "Unmodified" in line
    assert "Source: https://" in line


def test_pins_of_a_file_include_each_version_and_marker() -> None:
    """A distribution with several versions for several Pythons is read with all of them."""
    numpy = [pin for pin in read_pins(ROOT / "requirements" / "dev.txt") if pin.name == "numpy"]
    assert len({pin.version for pin in numpy}) == len({pin.marker for pin in numpy}) == len(numpy) == 2
