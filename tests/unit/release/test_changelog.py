"""Tests of CHANGELOG.md and of the function that reads it."""

from pathlib import Path

import pytest

from releasing.changelog import UNRELEASED, changes, sections
from releasing.errors import ReleaseError
from releasing.version import ROOT, read_version

CHANGELOG = ROOT / "CHANGELOG.md"


def _write(folder: Path, text: str) -> Path:
    (folder / "CHANGELOG.md").write_text(text, encoding="utf-8")
    return folder / "CHANGELOG.md"


def test_changelog_begins_with_the_current_version() -> None:
    """Below unreleased changes, the newest version is that of the workspace, and every older one follows."""
    found = list(sections(CHANGELOG))
    if found[0] == UNRELEASED:
        del found[0]
    assert found[0] == read_version()
    assert found == sorted(found, key=lambda version: [int(part) for part in version.split(".")], reverse=True)
    assert "0.1.0" in found


def test_every_version_lists_its_changes() -> None:
    """Each section has changes under known headings, and no line of a list belongs to no change."""
    for version in sections(CHANGELOG):
        found = changes(CHANGELOG, version)
        assert found
        assert all(each["description"].endswith(".") for each in found)


def test_changes_join_the_lines_of_an_entry(tmp_path: Path) -> None:
    """An entry that continues on the next line is one change, with the kind of its heading."""
    path = _write(
        tmp_path, "# Log\n\n## [2.0.0] - 2026-01-02\n\n### Upgrade\n\n- Do this,\n  and that.\n\n### Fixed\n- B.\n"
    )
    assert changes(path, "2.0.0") == [
        {"kind": "changed", "description": "Do this, and that."},
        {"kind": "fixed", "description": "B."},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Log\n", r"no section of 2\.0\.0; write `## \[2\.0\.0\] - <date>`"),
        ("## [1.0.0]\n\n### Added\n\n- A.\n", r"no section of 2\.0\.0"),
        ("## [2.0.0]\n\nNothing.\n", r"2\.0\.0 lists no change"),
        ("## [2.0.0]\n\n### News\n\n- A.\n", r"has the heading 'News'; write one of Upgrade, Added"),
    ],
)
def test_changelog_without_the_changes_of_the_version_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """A release whose changes are not written is refused with what to write."""
    with pytest.raises(ReleaseError, match=message):
        changes(_write(tmp_path, text), "2.0.0")
