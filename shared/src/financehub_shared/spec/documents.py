"""Parses YAML into valid ScheduledTasks. Errors state the line, the problem and the fix."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml
from pydantic import ValidationError

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.spec.scheduled_task import ScheduledTask

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
#: Nodes per document. An alias counts each time it is used, so that a small document cannot expand to gigabytes.
_MAX_NODES = 10_000
_TAGS = {
    "tag:yaml.org,2002:timestamp": "str",  # as in Kubernetes, which treats YAML as a way to write JSON
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(FinanceHubError):
    """A document was refused.

    Args:
        line: 1-based line of the problem in the document's file.
        problem: The problem and its fix.
        name: `namespace/name` of the refused resource; empty if it is unknown.
    """

    def __init__(self, line: int, problem: str, name: str = "") -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem
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
    try:
        node = yaml.compose(document.text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = document.offset + (mark.line if mark else 0) + 1
        problem = ": ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(line, f"YAML syntax: {problem}; fix the indentation, quote or bracket here") from None
    except yaml.YAMLError as error:
        raise DocumentError(document.offset + 1, f"YAML: {error}") from None
    if node is None or node.tag == "tag:yaml.org,2002:null":
        return None
    data = _Builder(document.offset).build(node)
    try:
        return ScheduledTask.model_validate_json(json.dumps(_without_nulls(data)))
    except ValidationError as error:
        raise _refusal(error, node, document.offset, data) from None


def _without_nulls(data: Any) -> Any:
    """Remove null fields from the spec, as the API server does."""
    spec = data.get("spec") if isinstance(data, dict) else None
    if not isinstance(spec, dict):
        return data
    return {**data, "spec": {name: value for name, value in spec.items() if value is not None}}


class _Builder:
    """Converts nodes to data that JSON can represent. It refuses other tags and duplicate keys."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._count = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def _refuse(self, node: yaml.Node, problem: str) -> DocumentError:
        return DocumentError(self._offset + node.start_mark.line + 1, problem)

    def build(self, node: yaml.Node) -> Any:
        self._count += 1
        if self._count > _MAX_NODES:
            raise self._refuse(node, f"more than {_MAX_NODES} values in one document; write less, or fewer aliases")
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Any] = {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    raise self._refuse(key, "keys must be plain text; write merged or nested keys out")
                if key.value in mapping:
                    raise self._refuse(key, f"{key.value!r} is written twice; remove one")
                mapping[key.value] = self.build(value)
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item) for item in node.value]
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101 — for mypy, because there are only three kinds of nodes
        return self._scalar(node)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        match _TAGS.get(node.tag, node.tag.rpartition(":")[2]):
            case "str":
                return node.value
            case "null":
                return None
            case "bool":
                return self._scalars.construct_yaml_bool(node)
            case "int":
                return self._scalars.construct_yaml_int(node)
            case "float":
                number = self._scalars.construct_yaml_float(node)
                if number - number != 0:
                    raise self._refuse(node, f"{node.value} is not a valid JSON number; use a finite value")
                # JSON has a single number type, and Kubernetes writes 1.0 as 1.
                return int(number) if number.is_integer() else number
            case _:
                raise self._refuse(node, f"tag {node.tag} is not allowed; write plain values")


def _refusal(error: ValidationError, root: yaml.Node, offset: int, data: Any) -> DocumentError:
    # A misspelled field causes two errors: an unknown and a missing field. The first error is more helpful.
    first = min(error.errors(include_url=False), key=lambda details: details["type"] != "extra_forbidden")
    path = [part for part in first["loc"] if part != "function-after"]
    node = _locate(root, path)
    where = ".".join(str(part) for part in path)
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        problem = f"unknown field; write one of {', '.join(_fields(path[:-1]))}"
    elif first["type"] == "missing":
        problem = "is missing; add it"
    name = ""
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
        name = f"{metadata.get('namespace', 'default')}/{metadata['name']}"
    return DocumentError(offset + node.start_mark.line + 1, f"{where}: {problem}" if where else problem, name)


def _fields(path: list[Any]) -> list[str]:
    model: Any = ScheduledTask
    for part in path:
        model = next(f.annotation for n, f in model.model_fields.items() if part in {n, f.alias})
    return [field.alias or name for name, field in model.model_fields.items()]


def _locate(root: yaml.Node, path: list[Any]) -> yaml.Node:
    """Return the node closest to the problem: the key or item at the end of the path, or the last one that exists."""
    node = shown = root
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            pair = (node.value[part], node.value[part])
        else:
            pair = None
        if pair is None:
            break
        shown, node = pair
    return shown
