"""Writes values.schema.json: the structure, with the descriptions of values.yaml and Kubernetes's own schemas."""

import json
from typing import Any

from chart import kubernetes, models
from chart.notation import Node, homes, named, values

Schema = dict[str, Any]


class Writer:
    """Converts nodes to a JSON schema, and collects the definitions that they need.

    Args:
        descriptions: The description of each value by its path.
    """

    def __init__(self, descriptions: dict[str, str]) -> None:
        self._descriptions = descriptions
        self._definitions: dict[str, Schema] = {}

    def document(self) -> str:
        """Return the whole schema as JSON."""
        root = self._of(values(), "")
        head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of FinanceHub's chart"}
        schema = head | root | {"$defs": dict(sorted(self._definitions.items()))}
        return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"

    def _of(self, node: Node, path: str, home: str = "") -> Schema:
        """Return the schema of a value.

        Args:
            node: What the value may be.
            path: Its path in values.yaml, with which its keys are described.
            home: Another path there, for keys that are not described at the first one.
        """
        if node.reference:
            return {"$ref": f"#/$defs/{self._defined(node.reference, nullable=node.nullable)}"}
        if node.choices:
            return {"enum": [*node.choices, None] if node.nullable else [*node.choices]}
        schema: Schema = {}
        kinds = [*node.kinds, *(["null"] if node.nullable and node.kinds else [])]
        if kinds:
            schema["type"] = kinds[0] if len(kinds) == 1 else kinds
        if node.minimum is not None:
            schema["minimum"] = node.minimum
        if node.maximum is not None:
            schema["maximum"] = node.maximum
        if node.items:
            schema["items"] = self._of(node.items, "")
        if node.unique:
            schema["uniqueItems"] = True
        if node.least:
            schema["minProperties"] = node.least
        return schema | self._map(node, path, home)

    def _map(self, node: Node, path: str, home: str) -> Schema:
        if node.values:
            return {"additionalProperties": self._of(node.values, "")}
        if "object" not in node.kinds or not node.properties:
            return {}
        schema: Schema = {} if node.open else {"additionalProperties": False}
        schema["properties"] = {name: self._property(node, name, path, home) for name in node.properties}
        if node.required:
            schema["required"] = list(node.required)
        return schema

    def _property(self, node: Node, name: str, path: str, home: str) -> Schema:
        each = node.properties[name]
        inner = f"{path}.{name}".lstrip(".")
        text = self._descriptions.get(inner) or self._descriptions.get(f"{home}.{name}")
        described = {"description": text} if text else {}
        # A section that describes the keys of a type in its own words has its own copy of the schema.
        own = named(each.reference) if self._describes_keys(inner) else None
        elsewhere = homes().get(each.reference, "")
        if own and elsewhere != inner:
            schema = self._of(own, inner, elsewhere)
            return described | (_nullable(schema) if each.nullable else schema)
        if base := node.inherited.get(name):
            return described | {"$ref": f"#/$defs/{self._defined(base)}/properties/{name}"}
        return described | self._of(each, inner)

    def _describes_keys(self, path: str) -> bool:
        return any(each.startswith(f"{path}.") for each in self._descriptions)

    def _defined(self, reference: str, *, nullable: bool = False) -> str:
        """Return the name of a definition, which is added if it is missing."""
        if reference.startswith("kubernetes "):
            name = kubernetes.full_name(reference.removeprefix("kubernetes ")) + ("?" if nullable else "")
            self._add_kubernetes(name)
            return name
        name = f"{reference}?" if nullable else reference
        if name not in self._definitions:
            self._definitions[name] = {}
            node = named(reference)
            schema = self._of(node, homes().get(reference, "")) if node else models.definitions()[reference]
            self._definitions[name] = _nullable(schema) if nullable else schema
        return name

    def _add_kubernetes(self, name: str) -> None:
        if name in self._definitions:
            return
        self._definitions[name], needed = kubernetes.definition(name)
        for each in sorted(needed):
            self._add_kubernetes(each)


def _nullable(schema: Schema) -> Schema:
    """Return a schema that also allows null."""
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*kinds, "null"]}
