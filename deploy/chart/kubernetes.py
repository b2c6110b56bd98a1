"""The schemas of Kubernetes itself, as definitions of the chart's schema."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate

from chart.notation import Node, parse, source

Schema = dict[str, Any]

_SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
_PREFIX = "io.k8s."
#: Kubernetes accepts these as a number too. Its own schema has alternatives, whose messages explain nothing.
_MIXED = {"Quantity": ["string", "number"], "IntOrString": ["string", "integer"]}
_KEPT = ("type", "required", "additionalProperties", "enum")


def version() -> str:
    """Return the newest version of Kubernetes whose schemas are installed."""
    return str(kubernetes_validate.latest_version())


@cache
def _definitions() -> dict[str, Schema]:
    (folder,) = _SCHEMAS.glob(f"v{version()}*-strict")
    found: dict[str, Schema] = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    return found


def full_name(name: str) -> str:
    """Return the name in Kubernetes's definitions.

    Args:
        name: Such as `Toleration`, which is in core, or `networking.NetworkPolicyPeer`.
    """
    group, _, kind = name.rpartition(".")
    if group == "meta":
        return f"{_PREFIX}apimachinery.pkg.apis.meta.v1.{kind}"
    return f"{_PREFIX}api.{group or 'core'}.v1.{kind}"


def definition(name: str) -> tuple[Schema, set[str]]:
    """Return a definition without descriptions, and the definitions that it needs.

    Args:
        name: The full name. With `?` at the end, null is allowed too, because in values it removes a default.
    """
    needed: set[str] = set()
    schema = _converted(_definitions()[name.rstrip("?")], needed)
    for short, written in source()["kubernetes"].items():
        if full_name(short) == name.rstrip("?"):
            _limit(schema, parse(written))
    return _typed(schema, nullable=name.endswith("?")), needed


def _converted(schema: Schema, needed: set[str]) -> Schema:
    if reference := schema.get("$ref"):
        return _referring(reference, needed, "?")
    found = {key: schema[key] for key in _KEPT if key in schema}
    if "properties" in schema:
        found["properties"] = {name: _converted(each, needed) for name, each in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        found["additionalProperties"] = _converted(schema["additionalProperties"], needed)
    if "items" in schema:
        items = schema["items"]
        is_reference = "$ref" in items
        found["items"] = _referring(items["$ref"], needed, "") if is_reference else _typed(_converted(items, needed))
    for name in schema.get("required", []):
        if name in found.get("properties", {}) and "$ref" not in found["properties"][name]:
            found["properties"][name] = _typed(found["properties"][name])
    return found


def _limit(schema: Schema, node: Node) -> None:
    """Add the limits of numbers, which Kubernetes checks, but which its schemas do not contain."""
    for name, each in node.properties.items():
        limits = {"minimum": each.minimum, "maximum": each.maximum}
        schema["properties"][name] |= {key: limit for key, limit in limits.items() if limit is not None}


def _referring(reference: str, needed: set[str], suffix: str) -> Schema:
    name = reference.rpartition("/")[2]
    if kinds := _MIXED.get(name.rpartition(".")[2]):
        return {"type": kinds}
    needed.add(name + suffix)
    return {"$ref": f"#/$defs/{name}{suffix}"}


def _typed(schema: Schema, *, nullable: bool = False) -> Schema:
    """Return the schema with or without null."""
    kinds = schema.get("type", [])
    plain = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    if nullable:
        plain.append("null")
    return schema | ({"type": plain[0] if len(plain) == 1 else plain} if plain else {})
