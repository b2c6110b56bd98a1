"""The fields of a run that every log line has while the run is in progress, also in its coroutines.

structlog keeps a context variable per field, and collects all of them for each line. One variable with all fields takes
a fifth of the time.
"""

from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

_NONE: Mapping[str, Any] = {}
_fields: ContextVar[Mapping[str, Any]] = ContextVar("run_context", default=_NONE)


def bind_run(fields: Mapping[str, Any]) -> None:
    """Add fields to the lines of this thread and of the coroutines that it starts, until `clear_run`.

    Args:
        fields: Names and values, which must not change afterwards.
    """
    _fields.set(fields)


def clear_run() -> None:
    """End what `bind_run` began."""
    _fields.set(_NONE)


def run_fields() -> Mapping[str, Any]:
    """Return the fields that are in force; empty outside a run."""
    return _fields.get()


def add_run(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the fields to a line: a processor of structlog. A field of the line has precedence."""
    fields = _fields.get()
    return {**fields, **event} if fields else event
