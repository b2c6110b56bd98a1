"""Arguments of tasks as text that a user writes: what the arguments of a task are, and how their text is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from financehub_shared.core.catalog import CATALOG


@dataclass(frozen=True, slots=True)
class ArgumentField:
    """One argument of a task of the catalog, for a form.

    Args:
        name: Its name.
        default: Its default value as text; empty if it has none.
        choices: The possible texts; empty if any text is possible.
        is_list: Whether it is a list, whose text is separated by commas.
    """

    name: str
    default: str
    choices: tuple[str, ...]
    is_list: bool


def argument_fields(task: str) -> list[ArgumentField]:
    """Return the arguments of a task of the catalog, from the model that validates them."""
    fields = []
    for name, info in CATALOG[task].arguments.model_fields.items():
        default = "" if info.default is None or info.is_required() else json.dumps(info.default)
        choices = ("false", "true") if info.annotation is bool else ()
        fields.append(ArgumentField(name, default, choices, _is_list(info.annotation)))
    return fields


def parse_argument(task: str, name: str, text: str) -> Any:
    """Return the value of an argument from its text.

    `BTC-USD,ETH-USD` becomes a list if the field of the task's model is a list. Its empty elements are left out. Any
    other text is parsed as JSON. If it is not valid JSON, it is used as a string. The value is not validated.

    Args:
        task: Name of a task, which need not be in the catalog.
        name: Name of the argument.
        text: The text.
    """
    field = CATALOG[task].arguments.model_fields.get(name) if task in CATALOG else None
    if field is not None and _is_list(field.annotation) and not text.lstrip().startswith("["):
        parts = [part.strip() for part in text.split(",")]
        # A comma at the end adds nothing. A text without any element stays, so that it is refused.
        return [part for part in parts if part] or parts
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def parse_fields(task: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments from the texts of a form. An empty text, and the default value, leave an argument out.

    Args:
        task: Name of a task of the catalog.
        texts: Name of an argument → its text.
    """
    defaults = {field.name: field.default for field in argument_fields(task)}
    return {
        name: parse_argument(task, name, text)
        for name, text in texts.items()
        if text.strip() and text.strip() != defaults.get(name)
    }


def _is_list(annotation: Any) -> bool:
    return "list" in str(annotation)
