"""Tests of the pages about releases: their links, their make targets, and the files that they list."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ("CHANGELOG.md", "SECURITY.md", "docs/releasing.md", "docs/upgrading.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_to_existing_files(page: str) -> None:
    """Every relative link of the page leads to a file or folder of the repository."""
    links = re.findall(r"\]\((?!https:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_targets_of_a_page_exist(page: str) -> None:
    """Every path in backquotes exists, and every `make x` is a target of the Makefile."""
    text = (ROOT / page).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):.*## ", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-s )?([a-z][a-z0-9-]*)", text)) <= targets
    paths = re.findall(r"`((?:tools|tests|docs|deploy|requirements|shared|services)/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_page_lists_each_file_of_a_release() -> None:
    """The table of docs/releasing.md names every document that a release contains, and the checksums."""
    text = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")
    build = (ROOT / "tools/release/releasing/build.py").read_text(encoding="utf-8")
    (documents,) = re.findall(r"^_DOCUMENTS = \((.*)\)$", build, re.MULTILINE)
    for name in [*re.findall(r'"([^"]+)"', documents), "COMMIT", "images.txt", "SHA256SUMS", "sbom-<image>.cdx.json"]:
        assert f"`{name}`" in text
