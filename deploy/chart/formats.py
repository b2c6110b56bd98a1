"""Writes files/formats.json, the formats of strings and where they apply, which a template of the chart checks."""

import json
from typing import Any

from chart import models
from chart.notation import KUBERNETES, Node, formats, named, parse, source, values

#: A format or a type of the values of a map, or of the items of a list.
EACH = "*"
#: The format of the keys of a map.
KEYS = "@keys"
#: The format of a value that may also be a map.
SELF = "@self"
#: The rules of a map or a list.
RULES = "@rules"
#: Before the name of a type.
TYPE = "@"

Tree = str | dict[str, Any]


def document() -> str:
    """Return the content of files/formats.json. Helm reads JSON much faster than YAML."""
    of_kubernetes = [f"{KUBERNETES} {name}" for name in source()["kubernetes"]]
    names = [*source()["types"], "scheduledTaskSpec", *of_kubernetes]
    trees = {name: tree for name in names if (tree := _of_type(name))}
    content = {
        "formats": {name: list(each.checks) for name, each in formats().items()},
        "types": trees,
        "values": _tree(values()),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _of_type(name: str) -> Tree:
    if name == "scheduledTaskSpec":
        return dict(models.SPEC_FORMATS)
    if name.startswith(f"{KUBERNETES} "):
        written = source()["kubernetes"].get(name.removeprefix(f"{KUBERNETES} "))
        return _tree(parse(written)) if written else ""
    node = named(name)
    return _tree(node) if node else ""


def _tree(node: Node) -> Tree:
    """Return the formats in a value: the name of one, of a type that contains some, or a map. Empty if none."""
    if node.reference:
        return f"{TYPE}{node.reference}" if _of_type(node.reference) else ""
    if node.format and not node.properties:
        return f"{node.format}{'!' if node.filled else ''}"
    found: dict[str, Any] = {name: tree for name, each in node.properties.items() if (tree := _tree(each))}
    if node.format:
        found[SELF] = f"{node.format}{'!' if node.filled else ''}"
    if node.keys:
        found[KEYS] = node.keys
    if node.rules:
        found[RULES] = list(node.rules)
    each_value = node.values or node.items
    if each_value and (tree := _tree(each_value)):
        found[EACH] = tree
    return found
