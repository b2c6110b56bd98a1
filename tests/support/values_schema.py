"""Walks the schema and the defaults of the chart's values."""

from collections.abc import Iterator
from typing import Any

import yaml

from support.chart import CHART, chart

Schema = dict[str, Any]
Path = tuple[str, ...]

SCHEMA: Schema = chart().schema or {}
DEFAULTS: dict[str, Any] = yaml.load((CHART / "values.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
#: An entry of a map or a list.
ANY = "*"
_KUBERNETES = "#/$defs/io.k8s."


def resolved(schema: Schema) -> Schema:
    """Return the schema that a reference means, or the schema itself."""
    while reference := schema.get("$ref"):
        found: Any = SCHEMA
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def is_of_kubernetes(schema: Schema) -> bool:
    """Whether the schema comes from Kubernetes."""
    return str(schema.get("$ref", "")).startswith(_KUBERNETES)


def kinds(schema: Schema) -> set[str]:
    """Return the JSON types that a schema allows, except null."""
    found = schema.get("type", [])
    return {found} - {"null"} if isinstance(found, str) else {*found} - {"null"}


def nodes(schema: Schema | None = None, path: Path = ()) -> Iterator[tuple[Path, Schema]]:
    """Yield the path and the resolved schema of every value, except those inside Kubernetes's own schemas.

    Args:
        schema: Where to begin. It defaults to the whole schema.
        path: The path of this schema. `*` is an entry of a map or a list.
    """
    schema = SCHEMA if schema is None else schema
    found = resolved(schema)
    yield path, found
    if is_of_kubernetes(_last_reference(schema)):
        return
    for name, each in found.get("properties", {}).items():
        yield from nodes(each, (*path, name))
    for key in ("additionalProperties", "items"):
        if isinstance(found.get(key), dict):
            yield from nodes(found[key], (*path, ANY))


def _last_reference(schema: Schema) -> Schema:
    """Return the last schema of a chain of references that is still a reference, or the schema itself."""
    while "$ref" in schema:
        following: Any = SCHEMA
        for step in schema["$ref"].removeprefix("#/").split("/"):
            following = following[step]
        if "$ref" not in following:
            return schema
        schema = following
    return schema


def default(path: Path) -> Any:
    """Return the default of a value.

    Raises:
        KeyError: values.yaml does not contain it.
    """
    found: Any = DEFAULTS
    for step in path:
        found = found[step]
    return found
