"""Tests that the version is in one place, and that everything that repeats it follows."""

import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest

from releasing.errors import ReleaseError
from releasing.version import PLACES, ROOT, Place, bump, read_version

VERSION = read_version()
DISTRIBUTIONS = sorted({*ROOT.glob("*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")})
#: Versions of other projects, the history of our own, and tests, which invent versions. A test that means the current
#: one fails after the next bump.
_FOREIGN = re.compile(r"^(requirements/|CHANGELOG\.md$|tests/|NOTICE$)|(^|/)go\.(mod|sum)$|/vendor/")
#: A version of FinanceHub's images, chart or distributions, whatever its number.
_OURS = re.compile(r"(?:[Ff]inance[Hh]ub(?:/[\w-]+)?[: @-]v?|financehub-[a-z]+==)(\d+\.\d+\.\d+)(?![\d.])")
#: A product of an HTTP header with a literal version, which may have fewer numbers than a release.
_PRODUCT = re.compile(r"[Ff]inance[Hh]ub/v?\d[\w.]*")
#: Versions of examples, which no release has.
_EXAMPLES = {"0.0.0", "1.2.3", "9.9.9"}
#: A statement about the history, which stays true: "since 1.2.3", "upgrade from 1.2.3".
_HISTORY = r"\b(?i:since|before|until|from|to)(?: release)? `?"


def _tracked_texts() -> dict[str, str]:
    """Return the text of each file of the repository in which the version may be repeated."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    texts = {}
    for name in listed.splitlines():
        if not _FOREIGN.search(name) and (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            try:
                texts[name] = (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return texts


def _without_places(name: str, text: str) -> str:
    """Return the text without the occurrences of the version that `make bump` writes."""
    for place in PLACES:
        if place.path == name:
            text = place.pattern.sub("", text)
    return text


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.path} {place.pattern.pattern}")
def test_each_derived_place_has_the_version_of_the_workspace(place: Place) -> None:
    """Every file that repeats the version repeats the current one, in each occurrence."""
    found = place.found(ROOT)
    assert found
    assert found == [VERSION] * len(found), "run `make bump`"


def test_no_other_file_contains_the_version() -> None:
    """The current version is in no other file, so that no release forgets one."""
    number = re.compile(rf"(?<![\d.=<>~]){re.escape(VERSION)}(?![\d.])")
    found = []
    for name, text in _tracked_texts().items():
        if name == "pyproject.toml":
            continue
        rest = re.sub(_HISTORY + re.escape(VERSION), "", _without_places(name, text))
        found += [f"{name}: {line.strip()[:100]}" for line in rest.splitlines() if number.search(line)]
    assert found == []


def test_no_text_names_another_version_of_financehub() -> None:
    """No image, chart or distribution of FinanceHub is named with another version, as after an incomplete bump."""
    found = [
        f"{name}: {match[0]}"
        for name, text in _tracked_texts().items()
        for match in _OURS.finditer(re.sub(_HISTORY + r"[\d.]+", "", _without_places(name, text)))
        if match[1] not in _EXAMPLES
    ]
    assert found == []


def test_no_product_of_a_header_has_a_literal_version() -> None:
    """A user agent or a server header takes its version from the release, also if it would show only a part of it."""
    found = [f"{name}: {match[0]}" for name, text in _tracked_texts().items() for match in _PRODUCT.finditer(text)]
    assert found == []


@pytest.mark.parametrize("path", DISTRIBUTIONS, ids=lambda path: path.parent.name)
def test_distribution_reads_its_version_from_the_workspace(path: Path) -> None:
    """Every distribution has a dynamic version that hatchling reads from the pyproject.toml of the workspace."""
    project = tomllib.loads(path.read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert (path.parent / project["tool"]["hatch"]["version"]["path"]).resolve() == ROOT / "pyproject.toml"


@pytest.mark.parametrize("path", DISTRIBUTIONS, ids=lambda path: path.parent.name)
def test_installed_distribution_has_the_version_of_the_workspace(path: Path) -> None:
    """The metadata of each editable installation follows a new version, because `make install` depends on its file."""
    name = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"]
    assert installed_version(name) == VERSION, "run `make install`"


def _copy(folder: Path) -> Path:
    for name in {"pyproject.toml", *(place.path for place in PLACES)}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_bump_changes_the_version_in_all_places(tmp_path: Path) -> None:
    """After `make bump`, the owner and each occurrence in each derived file have the new version."""
    root = _copy(tmp_path)
    bump("17.4.9", root)
    assert read_version(root) == "17.4.9"
    assert {version for place in PLACES for version in place.found(root)} == {"17.4.9"}
    bump(VERSION, root)
    assert {name: (root / name).read_bytes() for name in ["pyproject.toml", *(p.path for p in PLACES)]} == {
        name: (ROOT / name).read_bytes() for name in ["pyproject.toml", *(p.path for p in PLACES)]
    }


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.3", "1.2.3rc1", "1.2.3-rc1", "1.2.3 "])
def test_bump_refuses_a_version_of_another_form(tmp_path: Path, version: str) -> None:
    """A version that Helm and Python would read differently is refused, and nothing is written."""
    root = _copy(tmp_path)
    with pytest.raises(ReleaseError, match=r"write three numbers, such as 1\.2\.3"):
        bump(version, root)
    assert read_version(root) == VERSION


@pytest.mark.parametrize("text", ["", 'version = "1.0.0"\nversion = "2.0.0"\n'])
def test_owner_without_exactly_one_version_is_refused(tmp_path: Path, text: str) -> None:
    """A pyproject.toml with no version, or with several, is refused with what to write."""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ReleaseError, match="write exactly one under"):
        read_version(tmp_path)


def test_make_version_prints_the_version() -> None:
    """Documents use `make -s version` where a command needs the version."""
    done = subprocess.run(["make", "-s", "version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == VERSION
