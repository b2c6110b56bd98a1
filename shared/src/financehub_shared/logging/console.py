"""Renders log lines for people. Nothing in an event can control the terminal or look like another line."""

import re
from collections.abc import MutableMapping
from typing import Any

from financehub_shared.core.text import printable, safe_text

_RESET, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_KEY, _VALUE = "\x1b[36m", "\x1b[35m"
_LEVELS = {
    "debug": "\x1b[32m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31m",
}
_LEVEL_WIDTH = max(map(len, _LEVELS))
_EVENT_WIDTH = 24
_COLOR = re.compile("\x1b\\[[0-9]+m")
#: Lines of a traceback are indented, so that a message with line feeds cannot look like a log line.
_INDENT = "    "


class ConsoleRenderer:
    """The last processor of a chain: time, level, event, the other fields, and then an indented traceback.

    Args:
        colored: Whether to use colors.
    """

    def __init__(self, *, colored: bool = True) -> None:
        self._colored = colored

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        """Return the line, or several lines if the event has a traceback."""
        time, level, name = (printable(safe_text(event.pop(key, ""))) for key in ("timestamp", "level", "event"))
        details = [safe_text(event.pop(key)) for key in ("stack", "exception") if event.get(key)]
        if event.get("correlation_id") == event.get("message_id"):
            event.pop("correlation_id", None)
        if str(event.get("logger", "")).startswith("financehub"):
            del event["logger"]  # the names of our events are unique
        fields = [
            f"{_KEY}{printable(safe_text(key))}{_RESET}={_VALUE}{_shown(value)}{_RESET}" for key, value in event.items()
        ]
        start = f"{_DIM}{time}{_RESET} {_LEVELS.get(level, '')}{level:<{_LEVEL_WIDTH}}{_RESET} "
        first = start + " ".join([f"{_BOLD}{name:<{_EVENT_WIDTH}}{_RESET}", *fields])
        lines = [f"{_INDENT}{printable(line)}" for text in details for line in text.splitlines()]
        if not self._colored:
            first = _COLOR.sub("", first)
        return "\n".join([first, *lines])


def _shown(value: Any) -> str:
    """Return a value, in quotes if it is a text that could be read as several fields."""
    if isinstance(value, str):
        text = printable(safe_text(value))
        needs_quotes = not text or any(character in text for character in " =\"'")
        return "'" + text.replace("'", "\\'") + "'" if needs_quotes else text
    try:
        return printable(str(value) if isinstance(value, int | float) else repr(value))
    except BaseException:  # noqa: BLE001 — a foreign `__repr__` may raise anything
        return printable(safe_text(value))
