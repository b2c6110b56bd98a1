"""Tests of the language in the repository: idiomatic expressions, and prose lines within the limit."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: Expressions that are not idiomatic in this field → the replacement.
_INSTEAD = {
    r"belongs? into": "belongs in",
    r"\banew\b": "again",
    r"\bwhoever\b": "a noun: the user, the caller",
    r"(?<!re)(?<!com)\bmend(?:s|ed|ing)?\b": "fix, correct or repair",
    r"\bfor ever\b": "forever",
    r"(?<!here )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|later\b)[a-z]": "is not a",
    r"; empty else\b": "empty otherwise",
    r"\bcatalogue": "catalog",
    r"behaviour|colour|favour|honour": "American spelling: -or",
    r"(?:normal|serial|initial|recogn|organ)is(?:e|ed|es|ing|ation)\b": "American spelling: -ize",
}
#: Obsolete values and invalid input in tests, and this file.
_ALLOWED = {
    "shared/src/financehub_shared/market/encoding/records.py": {"mended"},
    "tests/unit/shared/market/encoding/test_records.py": {"mended"},
    "tests/unit/shared/market/test_assets_file.py": {"colour"},
}
_SUFFIXES = {".py", ".lua", ".md", ".yaml", ".tpl", ".toml", ".txt", ""}


def _texts() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        is_prose = path.suffix in _SUFFIXES and not name.startswith(("requirements/", "LICENSE"))
        if is_prose and path.is_file() and path != Path(__file__):
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", list(_INSTEAD))
def test_no_file_contains_words_that_the_field_does_not_use(pattern: str) -> None:
    """No tracked file contains a listed expression. A failure names the position and the replacement."""
    found = []
    for name, text in _texts():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            if match[0].lower() not in _ALLOWED.get(name, ()):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{name}:{line}: {match[0]!r}; write {_INSTEAD[pattern]}")
    assert found == []


def test_prose_of_documents_fits_in_120_characters() -> None:
    """Lines of Markdown prose have at most 120 characters. Tables, code blocks and links cannot be wrapped."""
    too_long = []
    for name, text in _texts():
        if not name.endswith(".md"):
            continue
        in_code = False
        for number, line in enumerate(text.splitlines(), 1):
            in_code ^= line.lstrip().startswith("```")
            if len(line) > 120 and not in_code and not line.startswith("|") and "](" not in line:
                too_long.append(f"{name}:{number}: {len(line)} characters")
    assert too_long == []
