"""Finds all mistakes in the data of a document, each with its place, what is wrong and what to write."""

import json
import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from financehub_shared.core.model_errors import describe_error, near_names, show_value
from financehub_shared.spec.annotations import annotation_problems
from financehub_shared.spec.cel.spec import ONE_RECURRENCE
from financehub_shared.spec.model_fields import Path, Problem, field_names, limits
from financehub_shared.spec.near_values import near_value
from financehub_shared.spec.repair import Draft
from financehub_shared.spec.scheduled_task import ScheduledTask

#: Attempts to find more mistakes after those found so far are replaced.
_ROUNDS = 20
_ARGUMENT = re.compile(r"^[A-Za-z0-9_.-]+: argument '([^']*)': ")


def validate(data: Any) -> tuple[ScheduledTask | None, list[Problem]]:
    """Validate the data of one document.

    Args:
        data: The document as JSON data.

    Returns:
        The resource, or None; and the mistakes, as place and description. There are none if there is a resource.
    """
    if (problem := _other_resource(data)) is not None:
        return None, [problem]
    data = _without_nulls(data)
    draft: Draft | None = None
    found: dict[Problem, None] = {}
    for _ in range(_ROUNDS):
        try:
            task = ScheduledTask.model_validate_json(json.dumps(data if draft is None else draft.data))
        except ValidationError as error:
            draft = draft or Draft(data)
            if not _find_more(draft, error, found):
                break
        else:
            mistakes = [*found, *annotation_problems(task.metadata.annotations)]
            return (None if mistakes else task), mistakes
    return None, list(found)


def _other_resource(data: Any) -> Problem | None:
    """Return the mistake of a document that is not a ScheduledTask at all, whose other fields say nothing."""
    if not isinstance(data, dict):
        return (), f"{show_value(data)} is not a resource; write the fields apiVersion, kind, metadata and spec"
    kind = data.get("kind")
    if kind == "List":
        return ("kind",), "List is not allowed; write each of its items as a document, with --- between them"
    if isinstance(kind, str) and kind != "ScheduledTask" and not near_names(kind, ["ScheduledTask"]):
        return ("kind",), f"{show_value(kind)} is not allowed; write ScheduledTask, or move the document elsewhere"
    return None


def _without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    """Remove null fields from the spec and the metadata, as the API server does."""
    parts = {name: data[name] for name in ("spec", "metadata") if isinstance(data.get(name), dict)}
    return {
        **data,
        **{name: {key: value for key, value in part.items() if value is not None} for name, part in parts.items()},
    }


def _find_more(draft: Draft, error: ValidationError, found: dict[Problem, None]) -> bool:
    """Add the mistakes of an error to those found, and replace them in the draft.

    Returns:
        Whether there were new ones.
    """
    # A misspelled field causes two errors: an unknown and a missing one. Its correction comes first.
    errors = sorted(error.errors(include_url=False), key=lambda details: details["type"] != "extra_forbidden")
    places = [(_path(details), details) for details in errors]
    origins = {path: draft.origin(path) for path, _ in places}
    before = len(found)
    replaced: list[Path] = []
    for path, details in places:
        if details["type"] == "missing" and draft.has(path):
            continue
        text = describe_error(details, names=field_names(path[:-1]), limits=limits(path))
        if details["type"] == "value_error" and path[:2] in {("spec", "kwargs"), ("spec", "args")}:
            # The message has the place of an argument in the draft, which may differ from that in the document.
            path, text = _argument(path, text)  # noqa: PLW2901 — a more exact place
            origins[path] = draft.origin(path)
        text += near_value(path, details["input"], draft.data.get("spec"))
        found[origins[path], text] = None
        if text.endswith(ONE_RECURRENCE):
            draft.keep_one_recurrence()
            continue
        near = near_names(str(path[-1]), field_names(path[:-1])) if details["type"] == "extra_forbidden" else []
        if not (near and draft.rename(path, near[0])):
            # Without one of its fields, an entry of `exclude` would have mistakes that the user has not made.
            replaced.append(path[:3] if path[:2] == ("spec", "exclude") else path)
    # From the end, because removing an entry of a list changes the numbers of those after it
    for path in sorted(set(replaced), key=lambda path: [str(part).zfill(6) for part in path], reverse=True):
        if path:
            draft.replace(path)
    return len(found) > before


def _path(details: ErrorDetails) -> Path:
    """Return the place of an error, without pydantic's names of functions and kinds of values."""
    return tuple(part for part in details["loc"] if isinstance(part, int) or not re.match(r"function-|\[key\]", part))


def _argument(path: Path, text: str) -> tuple[Path, str]:
    """Return the place of a refused argument, which the message names as `symbols.0`, and the rest of the message."""
    named = _ARGUMENT.match(text)
    if named is None or named[1] in {"args", "kwargs"}:
        return path, text
    place = (int(part) if part.isdecimal() else part for part in named[1].split("."))
    return ("spec", "kwargs", *place), text[named.end() :]
