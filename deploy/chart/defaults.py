"""Writes files/defaults.json: the defaults that a template of the chart uses in place of missing values."""

import json
from typing import Any

from chart.notation import Node, resolved, values

#: The keys that get their default if they are missing. A map has further such keys below it.
Keys = dict[str, Any]

#: The chart refuses null for these, because each default would be wrong for the assets that a release already has.
_REFUSED = ("assets",)


def document(defaults: dict[str, Any]) -> str:
    """Return the content of files/defaults.json. Helm reads JSON much faster than YAML.

    Args:
        defaults: The content of values.yaml.
    """
    kept = {name: value for name, value in defaults.items() if name not in _REFUSED}
    content = {"keys": filled(values(), kept), "values": kept}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def filled(node: Node, defaults: dict[str, Any]) -> Keys:
    """Return the keys that must not be missing: those of fixed maps that null may not remove.

    Args:
        node: The structure of a map.
        defaults: Its content in values.yaml.
    """
    found: Keys = {}
    for name, each in node.properties.items():
        inner = resolved(each)
        if name not in defaults or each.nullable or inner.open:
            continue
        is_fixed = isinstance(defaults[name], dict) and bool(inner.properties)
        found[name] = filled(inner, defaults[name]) if is_fixed else True
    return found
