"""Reads the commands of documents, and checks those of helm and kubectl without running them."""

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from support.chart import CHART

ROOT = CHART.parents[2]
_BLOCK = re.compile(r"^( *)```([a-z]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
#: Blocks of commands have no language, or that of a shell.
_SHELLS = ("", "sh", "bash", "console")
#: The sections of the values whose keys users choose.
_NAMED_BY_USERS = {"assets", "schedules", "settings", "tiers"}
_SEPARATORS = {"|", "||", "&&", ";", "&"}
_PROGRAMS = ("helm", "kubectl")


@dataclass(frozen=True)
class Command:
    """One command of a document.

    Args:
        line: The command as the document has it, in one line.
        words: Its words, without those after a pipe.
    """

    line: str
    words: tuple[str, ...]

    def options(self, *names: str) -> list[str]:
        """Return the values of options, such as those of `--set` and `-f`.

        Args:
            names: Names of the options, each with its dashes.
        """
        found = [following for word, following in itertools.pairwise(self.words) if word in names]
        joined = (word.partition("=") for word in self.words)
        return found + [value for name, equals, value in joined if equals and name in names]

    def arguments(self) -> list[str]:
        """Return the words that are neither options nor the values of known options."""
        found: list[str] = []
        words = iter(self.words)
        for word in words:
            if word == "--":
                break
            if word in _WITH_VALUE:
                next(words, None)
            elif not word.startswith("-"):
                found.append(word)
        return found


#: The options of helm and kubectl in the documents that are followed by a value.
_WITH_VALUE = {"-n", "--namespace", "-f", "--values", "--set", "--set-string", "-l", "-o", "-p", "-c", "--show-only"}
_WITH_VALUE |= {"--filename", "--selector", "--output", "--patch", "--container", "--version", "--timeout", "--type"}
_WITH_VALUE |= {"--field-selector"}


def commands(page: Path) -> Iterator[Command]:
    """Return the commands of helm and kubectl in a document, in order.

    Args:
        page: The Markdown file.
    """
    for block in _blocks(page, *_SHELLS):
        lines = block.replace("\\\n", " ").splitlines()
        if any(line.startswith("$ ") for line in lines):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        for line in _joined(lines):
            if line.lstrip().startswith(_PROGRAMS):
                yield from _split(line)


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Join the lines of commands with a quoted text of several lines."""
    unfinished = ""
    for line in lines:
        unfinished += f"\n{line}" if unfinished else line
        if _has_all_quotes(unfinished):
            yield unfinished
            unfinished = ""
    assert not unfinished, f"a quote is not closed: {unfinished}"


def _has_all_quotes(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def _blocks(page: Path, *languages: str) -> Iterator[str]:
    for indent, language, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in languages:
            yield re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)


def _split(line: str) -> Iterator[Command]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    words = [*lexer]
    for is_separator, group in itertools.groupby(words, _SEPARATORS.__contains__):
        part = tuple(group)
        if not is_separator and part[0] in _PROGRAMS:
            yield Command(line.strip(), part)


@cache
def _known() -> frozenset[str]:
    values: dict[str, Any] = yaml.load((CHART / "values.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return frozenset(values)


def value_blocks(page: Path) -> list[dict[str, Any]]:
    """Return the YAML blocks of a document that are values of the chart.

    Args:
        page: The Markdown file.
    """
    documents = (
        document for block in _blocks(page, "yaml") for document in yaml.load_all(block, Loader=yaml.CSafeLoader)
    )
    return [each for each in documents if isinstance(each, dict) and each and each.keys() <= _known()]


def has_default(values: Mapping[str, Any], path: str) -> bool:
    """Whether the chart has a value at a path.

    Args:
        values: The default values.
        path: The path, with dots, as `--set` has it.
    """
    section, *steps = re.split(r"(?<!\\)\.", path)
    if section in _NAMED_BY_USERS:
        return True
    found: Any = values
    for step in (section, *steps):
        if not isinstance(found, Mapping) or step not in found:
            # The keys of an empty map are those of the user, such as labels.
            return found == {}
        found = found[step]
    return True
