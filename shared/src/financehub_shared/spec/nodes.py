"""Reads the text of one YAML document into nodes, which know their lines.

Unlike kubectl, it does not accept a field that is written twice, an unknown tag, and text after the end of a document,
because a part of what the user wrote would have no effect.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.spec.scalars import PLAIN, TAG_PREFIX, Scalar, ScalarError, read_key, read_scalar
from financehub_shared.spec.yaml_syntax import explain

#: Nodes per document. An alias counts each time it is used, so that a small document cannot expand to gigabytes.
MAX_NODES = 10_000
#: Levels of lists and mappings in one another.
MAX_DEPTH = 64
#: A character as JSON may write it, which YAML does not know: as a pair of surrogates. Its backslash is not escaped.
_PAIR = re.compile(r"((?<!\\)(?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
#: An event of YAML's parser. Its types do not say which attributes each kind of event has.
Event = Any
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
#: The parser in C, if PyYAML has it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ReadError(FinanceHubError):
    """A document cannot be read.

    Args:
        line: Line of the document, counted from 0.
        problem: What is wrong and what to write.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


@dataclass(slots=True)
class Node:
    """A scalar, a list or a mapping.

    Args:
        line: Its line in the document, counted from 0.
        scalar: The value of a scalar.
        text: A scalar as it is written, without quotes; None for a list or a mapping.
        tag: The tag of a scalar in the long form, or `PLAIN`.
        items: The entries of a list; None for others.
        fields: The fields of a mapping, as name → (line of the name, value); None for others.
    """

    line: int
    scalar: Scalar = None
    text: str | None = None
    tag: str = PLAIN
    items: "list[Node] | None" = None
    fields: "dict[str, tuple[int, Node]] | None" = None

    def data(self) -> Any:
        """Return the value as JSON data."""
        if self.items is not None:
            return [item.data() for item in self.items]
        if self.fields is not None:
            return {name: value.data() for name, (_, value) in self.fields.items()}
        return self.scalar


@dataclass(slots=True)
class _Reader:
    """Builds nodes from the events of YAML's parser."""

    events: Iterator[Event]
    problems: list[tuple[int, str]] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    #: Anchor → number of nodes and of levels that an alias of it adds.
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    count: int = 0
    deepest: int = 0

    def read(self, event: Event, depth: int = 0) -> Node:
        line = event.start_mark.line
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, line, depth)
        self._add(1, depth, line)
        if event.anchor is None:
            return self._content(event, line, depth)
        before, outside, self.deepest = self.count - 1, self.deepest, depth
        # An alias within the node would never end.
        self.anchors.pop(event.anchor, None)
        node = self._content(event, line, depth)
        self.anchors[event.anchor] = node
        self.sizes[event.anchor] = (self.count - before, self.deepest - depth)
        self.deepest = max(outside, self.deepest)
        return node

    def _content(self, event: Event, line: int, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, line)
        node = Node(line)
        if isinstance(event, yaml.SequenceStartEvent):
            node.items = [self.read(each, depth + 1) for each in iter(self._next, None)]
        else:
            node.fields = self._fields(depth)
        if event.tag is not None and not event.tag.startswith(TAG_PREFIX):
            self.problems.append((line, f"the tag {event.tag} is not allowed; write the value without it"))
        return node

    def _next(self) -> Event | None:
        """Return the next event, or None at the end of a list or mapping."""
        event = next(self.events)
        return None if isinstance(event, _ENDS) else event

    def _add(self, nodes: int, deepest: int, line: int) -> None:
        self.count += nodes
        self.deepest = max(self.deepest, deepest)
        if self.count > MAX_NODES:
            raise ReadError(line, f"more than {MAX_NODES} values in one document; write less, or fewer aliases")
        if self.deepest > MAX_DEPTH:
            raise ReadError(line, f"more than {MAX_DEPTH} levels of lists and mappings; write fewer levels")

    def _alias(self, event: Event, line: int, depth: int) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            problem = f"*{event.anchor} needs a value with &{event.anchor} before it"
            raise ReadError(line, f'{problem}; write one, or quotes if you mean the text: "*{event.anchor}"')
        size, levels = self.sizes[event.anchor]
        self._add(size, depth + levels, line)
        return node

    def _scalar(self, event: Event, line: int) -> Node:
        text, tag = event.value, _tag(event)
        try:
            return Node(line, read_scalar(text, tag), text, tag)
        except ScalarError as error:
            self.problems.append((line, str(error)))
            return Node(line, None, text, tag)

    def _fields(self, depth: int) -> dict[str, tuple[int, Node]]:
        fields: dict[str, tuple[int, Node]] = {}
        merged: set[str] = set()
        for event in iter(self._next, None):
            line = event.start_mark.line
            if _is_merge(event):
                for found in self._merged(self.read(next(self.events), depth + 1), line):
                    fields |= found
                    merged |= found.keys()
                continue
            name = self._name(self.read(event, depth + 1))
            value = self.read(next(self.events), depth + 1)
            if name is None:
                continue
            if name in fields and name not in merged:
                self.problems.append((line, f"{name!r} is written twice; remove one"))
            fields[name] = (line, value)
            merged.discard(name)
        return fields

    def _name(self, node: Node) -> str | None:
        """Return the name of a field, or None if it was refused."""
        if node.text is None:
            self.problems.append((node.line, "the name of a field must be text; write nested fields out"))
            return None
        if isinstance(node.scalar, str):
            return node.scalar
        try:
            return read_key(node.text, node.tag)
        except ScalarError as error:
            self.problems.append((node.line, str(error)))
            return None

    def _merged(self, node: Node, line: int) -> list[dict[str, tuple[int, Node]]]:
        """Return the mappings that `<<` names, so that the first one has precedence."""
        nodes = [node] if node.items is None else node.items[::-1]
        found = [each.fields for each in nodes if each.fields is not None]
        if len(found) != len(nodes):
            self.problems.append((line, "<< needs a mapping, such as *name, or a list of mappings; correct it"))
        return found


def _tag(event: Event) -> str:
    if event.tag is None:
        return PLAIN if event.implicit[0] else f"{TAG_PREFIX}str"
    return f"{TAG_PREFIX}str" if event.tag == "!" else str(event.tag)


def _is_merge(event: Event) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != "<<":
        return False
    return event.tag == f"{TAG_PREFIX}merge" or bool(event.implicit[0])


def read_nodes(text: str) -> tuple[Node | None, list[tuple[int, str]]]:
    """Read one document.

    Args:
        text: The document.

    Returns:
        Its root, or None if it is empty or has only comments; and the mistakes in it, as line and problem.

    Raises:
        ReadError: The text cannot be read as YAML, or is too large.
    """
    if text.lstrip().startswith("{"):
        text = _PAIR.sub(_join, text)
    try:
        return _read(text)
    except yaml.YAMLError as error:
        line, problem = explain(error, text)
        # The end of the text may be after its last line.
        raise ReadError(min(line, max(0, len(text.splitlines()) - 1)), problem) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start)
        raise ReadError(line, "a character is half of a surrogate pair; write the whole character") from None


def _join(pair: re.Match[str]) -> str:
    return pair[1] + str(json.loads(f'"{pair[2]}"'))


def _read(text: str) -> tuple[Node | None, list[tuple[int, str]]]:
    # kubectl ends the last line too, which is the end of a block of text.
    events: Iterator[Event] = yaml.parse(text if text.endswith("\n") else f"{text}\n", Loader=LOADER)
    next(events)  # the begin of the stream
    first = next(events)
    if isinstance(first, yaml.StreamEndEvent):
        return None, []
    reader = _Reader(events)
    root = reader.read(next(events))
    next(events)  # the end of the document
    after = next(events)
    if not isinstance(after, yaml.StreamEndEvent):
        line = after.start_mark.line
        reader.problems.append((line, "another document begins here, after `...`; write --- before each document"))
    problems = list(dict.fromkeys(reader.problems))
    is_empty = root.text is not None and root.scalar is None and not problems
    return (None if is_empty else root), problems
