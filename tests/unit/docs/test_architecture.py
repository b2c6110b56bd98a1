"""Tests of the architecture page: the targets of its links, and the functions that the links name, exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / name for name in ("architecture.md", "glossary.md", "data-model.md", "metrics.md")]
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_links_lead_to_existing_files(page: Path) -> None:
    """Each relative link of the page leads to an existing file or folder."""
    links = [link for _, link in _LINK.findall(page.read_text(encoding="utf-8"))]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_architecture_page_names_existing_functions() -> None:
    """The last name of each linked function, class or constant is defined in the file that the link leads to."""
    missing = []
    for text, link in _LINK.findall(PAGES[0].read_text(encoding="utf-8")):
        target = PAGES[0].parent / link
        named = re.fullmatch(r"`(\w+(?:\.\w+)?)`", text)
        is_module = text.strip("`") in {target.name, target.stem, target.parent.name}
        if target.suffix != ".py" or not named or is_module:
            continue
        source = target.read_text(encoding="utf-8")
        names = named[1].split(".")
        if not all(re.search(rf"^\s*(?:(?:async )?def |class )?{name}\b", source, re.MULTILINE) for name in names):
            missing.append(text)
    assert missing == []


@pytest.mark.parametrize("package", ["shared/src/financehub_shared", "services/scheduler/src/financehub_scheduler"])
def test_architecture_page_lists_all_packages(package: str) -> None:
    """The table of a package lists all modules and packages directly below it."""
    folder = ROOT / package
    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    table = PAGES[0].read_text(encoding="utf-8").split(f"| `{folder.name}` | content |\n")[1].split("\n\n")[0]
    listed = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert listed == modules - {"__init__"}


def test_architecture_page_describes_the_way_of_a_message_in_at_most_15_steps() -> None:
    """The path of a message is a table with consecutive numbers and at most 15 steps."""
    numbers = re.findall(r"^\| (\d+) \|", PAGES[0].read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))
    assert 10 <= len(numbers) <= 15
