"""Tests of the runbooks: each alert has one complete page, which is in the index and has only existing commands."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from financehub_cli.app import app
from support.rules import ROOT, alerts

FOLDER = ROOT / "docs/runbooks"
ALERTS = alerts()
PAGES = {path.stem: path for path in FOLDER.glob("*.md") if path.name != "README.md"}
SECTIONS = ["What it means", "How to confirm", "Likely causes", "What to do", "How to know it is over"]
_ROW = re.compile(r"^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \| (.+) \|$", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|[`\s(])financehub((?: [a-z-]+)+)")
_CLI = typer.main.get_command(app)


def test_runbooks_exist_for_exactly_the_alerts() -> None:
    """Every alert has a page, and every page has an alert."""
    assert PAGES.keys() == ALERTS.keys()


def test_index_lists_every_alert_with_its_severity() -> None:
    """The index has one row per alert, with the correct severity and link."""
    rows = _ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    assert {name: severity for name, _, severity, _ in rows} == {
        name: rule["labels"]["severity"] for name, rule in ALERTS.items()
    }
    assert [name for name, page, *_ in rows if name != page] == []
    assert len(rows) == len(ALERTS)


def test_readme_lists_every_alert_under_its_severity() -> None:
    """The README names each alert once, in the list for its severity, and no nonexistent alert."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for severity in ("critical", "warning"):
        listed = re.search(rf"^- `{severity}` (?:.+\n)(?:  .+\n)*", readme, re.MULTILINE)
        assert listed is not None
        expected = [name for name, rule in ALERTS.items() if rule["labels"]["severity"] == severity]
        assert sorted(re.findall(r"FinanceHub\w+", listed[0])) == sorted(expected)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_page_has_title_severity_and_all_sections(page: Path) -> None:
    """A page starts with its alert's name and severity and has the five sections, none of which is empty."""
    text = page.read_text(encoding="utf-8")
    title, severity = text.splitlines()[0], ALERTS[page.stem]["labels"]["severity"]
    assert title == f"# {page.stem}"
    assert f"**{severity}**" in text.partition("\n## ")[0]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(len(body.strip()) > 80 for body in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])


@pytest.mark.parametrize("page", [*PAGES.values(), FOLDER / "README.md"], ids=lambda page: page.stem)
def test_page_links_lead_to_existing_files(page: Path) -> None:
    """Every link on a page leads to an existing file."""
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_page_commands_exist(page: Path) -> None:
    """Every `financehub …` command on a page exists."""
    found = _COMMAND.findall(page.read_text(encoding="utf-8"))
    assert [words for words in found if not _exists(words.split())] == []


def _exists(words: list[str]) -> bool:
    # Typer's own copy of click has no public name for a group.
    command: Any = _CLI
    while words and hasattr(command, "commands"):
        command = command.commands.get(words.pop(0))
    return command is not None
