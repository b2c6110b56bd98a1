"""Makes text from outside safe to store and to print. Every store, log line and output of a command uses this module.

- `storable(text)`: text that can be encoded as UTF-8, for Redis.
- `printable(text)`: one line for people, in which nothing can control a terminal or change the order of letters.
- `dump_json(value)`: JSON on the same terms, from which a parser gets the original text.
- `counted(number, thing)`: a number of things, with the singular for one.
- `safe_text(value)`: `str(value)` for any object, even if its `__str__` raises.

Whatever Unicode does not consider printable is escaped (`str.isprintable`): control characters with the C1 range, marks
that change the direction of text (U+202E), characters without width, line separators, private and unassigned
characters, and lone surrogates.
"""

import json
import re
from functools import cache
from typing import Any

#: Characters that may need an escape. Printable ASCII and letters and digits of any script need none. The expression
#: only selects candidates quickly, and `str.isprintable` decides.
_CANDIDATE = re.compile(r"[^\x20-\x7e\w]")
#: Line separators are spaces too, but they must stay visible.
_BREAKS = frozenset("\t\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029")
#: Levels of a value without a JSON form that are kept; deeper levels become text.
_MAX_DEPTH = 6


def storable(text: str) -> str:
    r"""Return the text with lone surrogates, which UTF-8 cannot encode, as escapes such as `\ud800`."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def printable(text: str, *, keep_lines: bool = False) -> str:
    r"""Return the text with escapes, such as `\x1b`, `\n` and `\u202e`, for all characters that are not printable.

    Spaces other than the usual one, such as the no-break space, become a usual space.

    Args:
        text: Any text.
        keep_lines: Whether line feeds and tabs are kept, for text that has its own lines, such as a traceback.
    """
    if text.isprintable():
        return text
    return _CANDIDATE.sub(_escape_but_lines if keep_lines else _escape, text)


def one_line(text: str) -> str:
    """Return the text in one printable line, in which a sequence of spaces and line breaks is one space."""
    return printable(" ".join(text.split()))


def counted(number: int, thing: str) -> str:
    """Return a number of things in words, such as `1 message` and `1,200 messages`.

    Args:
        number: The number.
        thing: One of them, with a regular plural.
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def dump_json(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Return a value as JSON in which all characters that are not printable are escaped.

    Objects without a JSON form become text. So do numbers that JSON does not have, because strict parsers refuse `NaN`.

    Args:
        value: The value. Keys that are not strings become text.
        indent: Number of spaces per level; None for one line.
        ascii_only: Whether to escape all letters outside of ASCII, for an output whose encoding does not have them.
    """
    encoder = _encoder(indent, ascii_only)
    try:
        text = encoder.encode(value)
    except (TypeError, ValueError, RecursionError):
        text = encoder.encode(_plain(value, depth=0))
    if text.isprintable():
        return text
    # Outside of strings, JSON contains only printable characters and the line feeds of the indent.
    return _CANDIDATE.sub(_json_escape, text)


@cache
def _encoder(indent: int | None, ascii_only: bool) -> json.JSONEncoder:
    """Return an encoder, which `json.dumps` would build for each value."""
    separators = None if indent else (",", ":")
    return json.JSONEncoder(
        indent=indent, ensure_ascii=ascii_only, separators=separators, default=safe_text, allow_nan=False
    )


def safe_text(value: object) -> str:
    """Return `str(value)`, or a replacement with the class if the object does not provide a text."""
    try:
        # a subclass of str could have methods that raise
        return str.__str__(value) if isinstance(value, str) else str.__str__(str(value))
    except BaseException as error:  # noqa: BLE001 — a foreign `__str__` may raise anything, such as SystemExit
        return f"({type_name(type(value))} without text: its __str__ raised {type_name(type(error))})"


def type_name(type_: type) -> str:
    """Return the name of a class. A metaclass cannot change it."""
    return printable(str(type.__dict__["__name__"].__get__(type_)))[:100]


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    if character.isspace() and character not in _BREAKS:
        return " "
    return character.encode("unicode_escape", "backslashreplace").decode()


def _escape_but_lines(found: re.Match[str]) -> str:
    return found[0] if found[0] in "\n\t" else _escape(found)


def _json_escape(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable() or character == "\n":
        return character
    return json.dumps(character)[1:-1]


def _plain(value: Any, *, depth: int) -> Any:
    """Return a value that `json.dumps` accepts."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        try:
            return json.loads(json.dumps(value, allow_nan=False))
        except ValueError:  # not a number, infinite, or an integer with too many digits
            return safe_text(value)
    if depth < _MAX_DEPTH:
        if isinstance(value, dict):
            return {safe_text(key): _plain(item, depth=depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [_plain(item, depth=depth + 1) for item in value]
    return safe_text(value)
