"""YAML text → valid ScheduledTasks; what is wrong is said with its line and how to mend it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml
from pydantic import ValidationError

from financehub_scheduler.api.scheduled_task import ScheduledTask

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
#: Nodes per document, aliases counted each time they are used: a page of YAML must not grow into gigabytes.
_MAX_NODES = 10_000
_FORMS = {
    "tag:yaml.org,2002:timestamp": "str",  # as in Kubernetes, where YAML is a way to write JSON
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(ValueError):
    """A document is refused.

    Args:
        line: of the fault, from 1 within the document's file.
        problem: what is wrong and how to mend it.
        name: `namespace/name` of the refused resource where it can be told, else empty.
    """

    def __init__(self, line: int, problem: str, name: str = "") -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem
        self.name = name


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one document and where it begins (lines before it in its file)."""

    text: str
    offset: int


def split(text: str) -> Iterator[Document]:
    """Part a stream at its `---` lines, so that a syntax error in one document spares the others."""
    begins = [0, *(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    line = 0
    for begin, end in pairwise(begins):
        part = text[begin:end]
        if part.removeprefix("---").strip():
            yield Document(part, line)
        line += part.count("\n")


def parse(document: Document) -> ScheduledTask | None:
    """Read and check one document; None for one that holds nothing (comments).

    Raises:
        DocumentError: it is refused.
    """
    try:
        node = yaml.compose(document.text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = document.offset + (mark.line if mark else 0) + 1
        problem = ": ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(line, f"YAML syntax: {problem}; mend the indentation, quote or bracket here") from None
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
    """A field of the spec that is null is not there, as the API server has it."""
    spec = data.get("spec") if isinstance(data, dict) else None
    if not isinstance(spec, dict):
        return data
    return {**data, "spec": {name: value for name, value in spec.items() if value is not None}}


class _Builder:
    """Nodes → JSON-able data; no tag but YAML's JSON-like ones, no duplicate key."""

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
                    raise self._refuse(key, "keys are plain text; write merged or nested keys out")
                if key.value in mapping:
                    raise self._refuse(key, f"{key.value!r} is written twice; remove one")
                mapping[key.value] = self.build(value)
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item) for item in node.value]
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101 — for mypy: there are three kinds of nodes
        return self._scalar(node)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        match _FORMS.get(node.tag, node.tag.rpartition(":")[2]):
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
                    raise self._refuse(node, f"{node.value} is not a number of JSON; write a finite one")
                # JSON knows one kind of number, and Kubernetes writes 1.0 as 1
                return int(number) if number.is_integer() else number
            case _:
                raise self._refuse(node, f"tag {node.tag} is not allowed; write plain values")


def _refusal(error: ValidationError, root: yaml.Node, offset: int, data: Any) -> DocumentError:
    # a misspelt field is also a missing one; the first says more
    first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    path = [part for part in first["loc"] if part != "function-after"]
    node = _locate(root, path)
    where = ".".join(str(part) for part in path)
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        problem = f"unknown field; allowed are {', '.join(_fields(path[:-1]))}"
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
    """The node that names the fault best: the key or item at the end of the path, else the last one that is there."""
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
