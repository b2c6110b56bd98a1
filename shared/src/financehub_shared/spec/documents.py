"""Parses YAML into valid ScheduledTasks. Errors name every mistake with its line, the problem and the fix."""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.spec.model_fields import Path
from financehub_shared.spec.nodes import Node, ReadError, read_nodes
from financehub_shared.spec.plain_data import UnusualError, read_plain
from financehub_shared.spec.scalars import PLAIN
from financehub_shared.spec.scheduled_task import ScheduledTask
from financehub_shared.spec.validation import validate

#: Mistakes of one document that are reported. The others are counted.
MAX_MISTAKES = 50
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file.

    Args:
        line: Its line in the file, counted from 1.
        field: The field, as in `spec.schedules.1`; empty if the document itself is wrong.
        problem: What was read, what is wrong and what to write.
    """

    line: int
    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


class DocumentError(FinanceHubError):
    """A document was refused.

    Args:
        mistakes: Its mistakes in the order of their lines, at least one.
        name: `namespace/name` of the refused resource; empty if it is unknown.
    """

    def __init__(self, mistakes: Sequence[Mistake], name: str = "") -> None:
        super().__init__("; ".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)
        self.name = name


@dataclass(frozen=True, slots=True)
class Document:
    """One document's text, and the number of lines before it in its file."""

    text: str
    offset: int


def split(text: str) -> Iterator[Document]:
    """Split a stream at its `---` lines, so that a syntax error in one document does not affect the others."""
    begins = [0, *(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    line = 0
    for begin, end in pairwise(begins):
        part = text[begin:end]
        if part.removeprefix("---").strip():
            yield Document(part, line)
        line += part.count("\n")


def parse(document: Document) -> ScheduledTask | None:
    """Parse and validate one document. Return None if it is empty or contains only comments.

    Raises:
        DocumentError: The document is refused.
    """
    with contextlib.suppress(UnusualError):
        task, _ = validate(read_plain(document.text))
        if task is not None:
            return task
    try:
        root, problems = read_nodes(document.text)
    except ReadError as error:
        raise DocumentError([Mistake(document.offset + error.line + 1, "", error.problem)]) from None
    if root is None:
        return None
    found = [Mistake(document.offset + line + 1, "", problem) for line, problem in problems]
    data = root.data()
    task, mistakes = validate(data)
    lines = {mistake.line for mistake in found}
    for path, problem in mistakes:
        line, node = _locate(root, path)
        # A value that could not be read has been reported, and would be reported again as missing.
        if document.offset + line + 1 not in lines:
            field = ".".join(map(str, path))
            hint = "" if problem.startswith("unknown") else _hint(node)
            found.append(Mistake(document.offset + line + 1, field, f"{problem}{hint}"))
    if not found and task is not None:
        return task
    found.sort(key=lambda mistake: mistake.line)
    if len(found) > MAX_MISTAKES:
        more = f"and {len(found) - MAX_MISTAKES} more mistakes in this document"
        found[MAX_MISTAKES:] = [Mistake(found[MAX_MISTAKES].line, "", more)]
    raise DocumentError(found, _name(data))


def _name(data: Any) -> str:
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return ""
    return f"{metadata.get('namespace') or 'default'}/{metadata['name']}"


def _hint(node: Node | None) -> str:
    """Return how to write a value that YAML does not read as the text that it looks like."""
    if node is None or not node.text or node.tag != PLAIN or isinstance(node.scalar, str):
        return ""
    read = json.dumps(node.scalar)
    return "" if node.text == read else f' ({node.text} without quotes means {read}; for the text, write "{node.text}")'


def _locate(root: Node, path: Path) -> tuple[int, Node | None]:
    """Return the line of the name or entry at a place, or of the last one that exists, and its node if it exists."""
    line, node = root.line, root
    for part in path:
        if node.fields is not None and part in node.fields:
            line, node = node.fields[str(part)]
        elif node.items is not None and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            line = node.line
        else:
            return line, None
    return line, node
