"""Suggests values that a user may have meant: time zones, exchanges and tasks."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import available_timezones

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.model_errors import near_names
from financehub_shared.recurrence.calendar import exchanges
from financehub_shared.spec.model_fields import Path


def near_value(path: Path, value: Any, spec: Any) -> str:
    """Return the end of a message that names similar values, or an empty string if there are none.

    Args:
        path: Place of the refused value.
        value: The refused value.
        spec: The spec around it.
    """
    if path[:1] != ("spec",):
        return ""
    if path == ("spec", "task") and isinstance(spec, dict):
        # Without a queue, an unknown task is probably a misspelled one.
        return "" if spec.get("queue") else _suggest(spec.get("task"), CATALOG, most=1)
    if path[-1] in {"calendar", "holidays"}:
        return _suggest(value, exchanges())
    return _suggest(value, available_timezones()) if path[-1] == "timeZone" else ""


def _suggest(value: Any, known: Iterable[str], most: int = 3) -> str:
    names = list(known)
    near = near_names(value, names) if isinstance(value, str) and value not in names else []
    return f"; did you mean {' or '.join(near[:most])}?" if near else ""
