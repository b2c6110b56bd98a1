"""Descriptions of the fields of views, for the documentation of the API.

They are not pydantic's own, because the command line uses the views and importing pydantic takes half of the CPU time
that one of its commands needs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Field:
    """Describes a field in the JSON schema that pydantic makes of a view.

    Args:
        description: What the field contains.
        examples: Values of the field.
        json_schema_extra: Further entries of the schema, such as a format.
    """

    description: str = ""
    examples: Sequence[Any] = ()
    json_schema_extra: Mapping[str, Any] = field(default_factory=dict)

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the schema of the value with the description. Pydantic calls this."""
        described = {"description": self.description, "examples": list(self.examples)}
        return {
            **handler(core_schema),
            **{name: text for name, text in described.items() if text},
            **self.json_schema_extra,
        }
