"""Tests of the architecture decision records in `docs/adr/`: their format, their index and references to them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "adr"
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
NUMBERS = {path.name[:4]: path.name for path in RECORDS}
_LINK_TO_RECORD = r"\[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\)"
_HEADER = re.compile(
    r"# (?P<number>\d{4})\. (?P<title>[A-Z].*[^.])\n\n"
    rf"- Status: (?P<status>accepted|superseded by {_LINK_TO_RECORD})\n"
    r"- Date: (?P<date>20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))\n\n"
    r"## Context\n"
)
_SOURCES = ("cli", "deploy", "docs", "services", "shared", "tests", "tools")
_SUFFIXES = {".py", ".md", ".lua", ".yaml", ".yml", ".toml", ".tpl", ".json", ".sh", ".go", ".txt", ""}
_REFERENCE = re.compile(r"\bADRs?[\s#]+(\d+(?:(?:, | and |, and )\d+)*)|\badr/(\d+)([a-z0-9-]*\.md)?")


def file_name(number: str, title: str) -> str:
    """Return the file name of a record: its number and its title in kebab case."""
    plain = re.sub(r"['’`]", "", title.lower())
    return f"{number}-{re.sub(r'[^a-z0-9]+', '-', plain).strip('-')}.md"


def parse_header(path: Path) -> re.Match[str]:
    """Return the regular expression match of a record's header, or fail the test."""
    header = _HEADER.match(path.read_text(encoding="utf-8"))
    assert header, f"{path.name}: expected a title, a status, a date and then the section Context"
    return header


def text_files() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each source and documentation file of the project."""
    folders = [ROOT / name for name in _SOURCES]
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    paths += [path for folder in folders for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file()]
    for path in paths:
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def find_broken_references(text: str) -> list[str]:
    """Return the references in a text to decision records or files of theirs that do not exist."""
    broken = []
    for reference in _REFERENCE.finditer(text):
        numbers, number, rest = reference.groups()
        if any(each not in NUMBERS for each in re.findall(r"\d+", numbers or number)) or (
            rest and NUMBERS[number] != number + rest
        ):
            broken.append(reference[0])
    return broken


def test_records_are_numbered_consecutively_from_one() -> None:
    """The numbers in the file names are 0001, 0002 and so on, without gaps or duplicates."""
    assert [path.name[:4] for path in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name[:4])
def test_record_has_header_and_file_name_of_its_title(path: Path) -> None:
    """A record begins with title, status and date, and its file name is derived from number and title."""
    header = parse_header(path)
    assert path.name == file_name(header["number"], header["title"])


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name[:4])
def test_record_has_exactly_three_sections_with_content(path: Path) -> None:
    """A record has the sections Context, Decision and Consequences, in this order, and none of them is empty."""
    sections = re.split(r"^## (.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert sections[::2] == ["Context", "Decision", "Consequences"]
    assert all(content.strip() for content in sections[1::2])


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name[:4])
def test_links_between_records_lead_to_the_record_they_name(path: Path) -> None:
    """Each link to another record names that record's number and its current file."""
    links = re.findall(r"\[([^\]]*)\]\((\d[^)]*)\)", path.read_text(encoding="utf-8"))
    for text, target in links:
        number = text.split()[-1]
        assert NUMBERS.get(number) == target, f"{path.name}: [{text}]({target})"


def test_index_lists_every_record_once_with_its_title() -> None:
    """`docs/adr/README.md` links to each record once, in numeric order, with number and title."""
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[(\d{4}\. .*?)\]\((.*?)\)", index, re.MULTILINE)
    headers = {path.name: parse_header(path) for path in RECORDS}
    assert listed == [(f"{header['number']}. {header['title']}", name) for name, header in headers.items()]


def test_references_in_all_files_name_existing_records() -> None:
    """Each reference to a decision record in any file of the project, by number or file name, resolves."""
    files = dict(text_files())
    assert {"README.md", "docs/adr/README.md"} <= files.keys()
    broken = {path: found for path, text in files.items() if (found := find_broken_references(text))}
    assert not broken


@pytest.mark.parametrize(
    "text", ["see A_DR 9999", "see A_DR 7", "A_DRs 0001 and 9999", "docs/a_dr/9999", "a_dr/0001-another-title.md"]
)
def test_reference_check_with_unknown_record_reports_it(text: str) -> None:
    """The check of references reports unknown numbers, numbers without four digits and outdated file names."""
    assert find_broken_references(text.replace("_", ""))
