"""Reads structure.yaml, the compact description of the chart's values, into nodes."""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

STRUCTURE = Path(__file__).parent / "structure.yaml"
#: Before the name of a definition of Kubernetes.
KUBERNETES = "kubernetes"
_NUMBERS = ("integer", "number")
#: The JSON types of each name that stands for some.
_PRIMITIVES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("string", "boolean", "object", *_NUMBERS)},
    "scalar": ("string", "number", "boolean"),
    "any": (),
    "null": (),
}


@dataclass(frozen=True)
class Node:
    """What one value may be.

    Args:
        text: The notation, for people.
        kinds: The JSON types. Empty for any type, and for a reference.
        choices: The only allowed values.
        minimum: The smallest allowed number.
        maximum: The largest allowed number.
        format: The name of the format of a string, of `formats` in structure.yaml.
        filled: Whether the empty string is refused.
        properties: The keys of a map whose keys are fixed.
        inherited: The type from which each inherited key comes.
        required: The keys that must exist.
        open: Whether other keys are allowed.
        least: The smallest number of keys or items.
        items: What each item of a list may be.
        unique: Whether items must differ.
        values: What each value of a map may be, if the user chooses its keys.
        keys: The format of the keys of such a map.
        reference: The name of a type of structure.yaml, or of a definition of Kubernetes after `kubernetes `.
        nullable: Whether null is allowed.
        rules: What the keys of a map or the items of a list must have in common.
    """

    text: str
    kinds: tuple[str, ...] = ()
    choices: tuple[str | bool, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    format: str = ""
    filled: bool = False
    properties: dict[str, "Node"] = field(default_factory=dict)
    inherited: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    open: bool = False
    least: int = 0
    items: "Node | None" = None
    unique: bool = False
    values: "Node | None" = None
    keys: str = ""
    reference: str = ""
    nullable: bool = False
    rules: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Format:
    """The checks of a string.

    Args:
        name: The name in structure.yaml.
        says: What the README says about it.
        valid: Strings that pass, for tests and for the README.
        checks: Each has the pattern that it requires or refuses, what is wrong, and what to write.
    """

    name: str
    says: str
    valid: tuple[str, ...]
    checks: tuple[dict[str, str], ...]


@cache
def source() -> dict[str, Any]:
    """Return the content of structure.yaml."""
    content: dict[str, Any] = yaml.load(STRUCTURE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return content


@cache
def formats() -> dict[str, Format]:
    """Return all formats by name."""
    return {
        name: Format(name, each["says"], tuple(each["valid"]), tuple(each["checks"]))
        for name, each in source()["formats"].items()
    }


@cache
def named(name: str) -> Node | None:
    """Return the type of this name, such as that of a pod's values, or None if structure.yaml has none."""
    written = source()["types"].get(name)
    return None if written is None else parse(written)


def resolved(node: Node) -> Node:
    """Return the type that a node refers to, or the node itself."""
    return named(node.reference) or node


def extended(name: str) -> Node:
    """Return the type of this name, which other types extend.

    Raises:
        ValueError: structure.yaml has no such type.
    """
    node = named(name)
    if node is None:
        raise ValueError(f"structure.yaml: $extends names {name}, which is not among the types; define it there")
    return node


def homes() -> dict[str, str]:
    """Return the path in values.yaml whose comments describe the keys of a type, by the name of the type."""
    found: dict[str, str] = source()["homes"]
    return found


@cache
def values() -> Node:
    """Return the node of all values."""
    return parse(source()["values"])


def parse(written: Any) -> Node:
    """Return the node of a value in the notation of structure.yaml.

    Args:
        written: A text such as `integer 1..100`, a list with the notation of its items, or a map of keys.

    Raises:
        ValueError: The notation is unknown.
    """
    if isinstance(written, str):
        return _parse_text(written)
    if isinstance(written, list):
        (item,) = written
        return Node("list", kinds=("array",), items=parse(item))
    return _parse_map(written)


def _parse_map(written: dict[str, Any]) -> Node:
    rules = tuple(written.get("$rules", ()))
    if "$as" in written:
        return replace(parse(written["$as"]), rules=rules)
    properties: dict[str, Node] = {}
    inherited: dict[str, str] = {}
    for base in written.get("$extends", []):
        for name, node in extended(base).properties.items():
            properties[name] = node
            inherited[name] = base
    keys = {name: each for name, each in written.items() if not name.startswith("$")}
    for name, each in keys.items():
        properties[name.rstrip("!")] = parse(each)
        inherited.pop(name.rstrip("!"), None)
    if written.get("$nullable"):
        properties = {name: replace(node, nullable=True) for name, node in properties.items()}
    kinds = ("object", "array") if "$items" in written else ("object",)
    base_node = parse(written["$or"]) if "$or" in written else Node("map")
    return replace(
        base_node,
        text="map",
        kinds=(*base_node.kinds, *kinds),
        properties=properties,
        items=parse(written["$items"]) if "$items" in written else None,
        inherited=inherited,
        required=tuple(name.rstrip("!") for name in keys if name.endswith("!")),
        open=bool(written.get("$open")),
        values=parse(written["$map"]) if "$map" in written else None,
        keys=written.get("$keys", ""),
        least=written.get("$least", 0),
        rules=rules,
    )


def _parse_text(text: str) -> Node:
    first, _, rest = text.partition(" ")
    if first in {"list", "set"} and rest.startswith("of "):
        return Node(text, kinds=("array",), items=parse(rest.removeprefix("of ")), unique=first == "set")
    if first == "map":
        keys, _, each = rest.rpartition("to ") if " to " in f" {rest}" else ("", "", rest.removeprefix("of "))
        return Node(text, kinds=("object",), values=parse(each), keys=keys.strip())
    if text.startswith("one of "):
        choices = tuple(
            yaml.load(choice.strip(), Loader=yaml.CSafeLoader) for choice in text.removeprefix("one of ").split(",")
        )
        return Node(text, choices=choices)
    node = Node(text)
    for alternative in text.split(" or "):
        node = _joined(node, _parse_alternative(alternative))
    return node


def _joined(node: Node, other: Node) -> Node:
    """Return the node of a value that may be either."""
    return replace(
        node,
        kinds=node.kinds + other.kinds,
        minimum=node.minimum if other.minimum is None else other.minimum,
        maximum=node.maximum if other.maximum is None else other.maximum,
        format=node.format or other.format,
        filled=node.filled or other.filled,
        reference=node.reference or other.reference,
        nullable=node.nullable or other.nullable,
    )


def _parse_alternative(text: str) -> Node:
    first, _, rest = text.partition(" ")
    name = text.rstrip("!")
    if first == KUBERNETES or text in source()["types"] or text in source()["generated"]:
        return Node(text, reference=text)
    if name in source()["formats"]:
        return Node(text, kinds=("string",), format=name, filled=text.endswith("!"))
    if first in _NUMBERS and rest:
        smallest, _, largest = rest.partition("..")
        limits = [int(each) if each else None for each in (smallest, largest)]
        return Node(text, kinds=(first,), minimum=limits[0], maximum=limits[1])
    if text not in _PRIMITIVES:
        raise ValueError(f"structure.yaml: {text!r} is neither a type nor a format; use one of them, or define it")
    return Node(text, kinds=_PRIMITIVES[text], nullable=text == "null")
