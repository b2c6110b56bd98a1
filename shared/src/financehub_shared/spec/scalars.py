"""Reads one YAML scalar as kubectl does, so that a document means the same in a folder and in a cluster.

kubectl reads YAML 1.1 without its numbers in base 60, and sends JSON. So `y` and `on` are true, `017` and `0o17` are
15, `1e3` is 1000, and `12:30` and dates are text.
"""

import base64
import binascii
import re
import struct
from decimal import Decimal

from financehub_shared.core.errors import FinanceHubError

#: Beginning of the long form of YAML's own tags.
TAG_PREFIX = "tag:yaml.org,2002:"
#: Tag of a scalar without quotes and without a tag. It is not a tag of YAML.
PLAIN = "plain"
_TEXT, _BINARY, _TIMESTAMP = f"{TAG_PREFIX}str", f"{TAG_PREFIX}binary", f"{TAG_PREFIX}timestamp"
_NAMES = {f"{TAG_PREFIX}{name}": name for name in ("bool", "int", "float", "null")}

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
#: The first characters of all plain scalars that may be something else than text.
_NOT_TEXT = frozenset("+-.0123456789~") | {word[0] for word in _WORDS if word}
#: The first characters of all numbers.
_NUMERIC = frozenset("+-.0123456789")
#: Numbers that JSON does not have.
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
#: Whole numbers: prefixes as in Go, so that a leading zero means base 8.
_INTEGERS = (
    (2, re.compile(r"([-+]?)0[bB]([01]+)")),
    (8, re.compile(r"([-+]?)0[oO]?([0-7]+)")),
    (16, re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)")),
    (10, re.compile(r"([-+]?)(0|[1-9][0-9]*)")),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
#: A number that begins with a point may have underscores between digits only. Others may have them anywhere.
_POINT = re.compile(r"\.[0-9](_?[0-9])*([eE][-+]?[0-9](_?[0-9])*)?")
_MIN_INTEGER, _MAX_INTEGER, _MAX_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
#: From here on, JSON has the exponent form, which is not a whole number.
_EXPONENT_FORM = 1e21
#: Decimal digits that identify each number of 32 bits.
_DIGITS_OF_FLOAT32 = 9
_DAY = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_DATE = re.compile(rf"{_DAY}([Tt ][0-9]{{1,2}}:[0-9]{{1,2}}:[0-9]{{1,2}}(\.[0-9]+)?(Z|[-+][0-9]{{2}}:[0-9]{{2}})?)?")

Scalar = bool | int | float | str | None


class ScalarError(FinanceHubError):
    """A scalar that kubectl refuses. The message says what to write."""


def read_scalar(text: str, tag: str) -> Scalar:
    """Return the value that the API server receives for a scalar.

    Args:
        text: The scalar, without quotes and escapes.
        tag: Its tag in the long form, or `PLAIN`.

    Raises:
        ScalarError: The text does not fit its tag, the number is not finite, or the tag is not one of YAML's own.
    """
    if tag == _TEXT or (tag == PLAIN and text and text[0] not in _NOT_TEXT):
        return text  # most scalars
    value = _read(text, tag)
    if isinstance(value, int) and value > _MAX_INTEGER:
        value = float(value)  # as the API server, which has no larger integers
    return _json_number(value) if isinstance(value, float) else value


def read_key(text: str, tag: str) -> str:
    """Return the name of a field, for which kubectl turns numbers and booleans into text.

    Args:
        text: The scalar, without quotes and escapes.
        tag: Its tag in the long form, or `PLAIN`.

    Raises:
        ScalarError: It cannot be a field's name.
    """
    value = _read(text, tag)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _key_of_float(value)
    if value is None or value > _MAX_INTEGER:
        raise ScalarError(f"{text!r} cannot be the name of a field; put it in quotes")
    return str(value)


def _read(text: str, tag: str) -> Scalar:
    if tag == _TEXT:
        return text
    if tag == _BINARY:
        return _decode(text)
    if tag == PLAIN:
        return _resolve(text)
    if tag == _TIMESTAMP:
        if _DATE.fullmatch(text):
            return text
        raise ScalarError(f"{text!r} is not a timestamp; remove the tag !!timestamp")
    if tag not in _NAMES:
        raise ScalarError(f"the tag {tag} is not allowed; write the value without it")
    return _convert(text, _NAMES[tag])


def _convert(text: str, name: str) -> Scalar:
    """Return the value of a scalar with one of the tags `!!bool`, `!!int`, `!!float` and `!!null`."""
    value = _resolve(text)
    found = {bool: "bool", int: "int", float: "float", str: "str"}.get(type(value), "null")
    if name == "float" and isinstance(value, int) and not isinstance(value, bool) and value <= _MAX_INTEGER:
        return float(value)
    if found != name:
        raise ScalarError(f"{text!r} does not fit the tag !!{name}; remove the tag or correct the value")
    return value


def _resolve(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError(f"{text} is not a number in JSON; write a finite number, or quotes for text")
    if text[:1] == ".":
        return _float(text.replace("_", "")) if _POINT.fullmatch(text) else text
    # Go reads the sign before or after the prefix of base 2.
    plain = re.sub("^0b([-+])", r"\g<1>0b", text.replace("_", ""))
    for base, form in _INTEGERS:
        found = form.fullmatch(plain)
        if found:
            # A limit of digits, because converting many digits takes long. Too many are a number that is too large.
            digits = found[2].lstrip("0") or "0"
            value = int(found[1] + digits, base) if len(digits) <= 64 else _MAX_UNSIGNED + 1
            if _MIN_INTEGER <= value <= (_MAX_INTEGER if found[1] else _MAX_UNSIGNED):
                return value
    return _float(plain, text) if _FLOAT.fullmatch(plain) else text


def _float(plain: str, text: str | None = None) -> float | str:
    value = float(plain)
    # A number that is too large is text.
    return value if abs(value) != float("inf") else (plain if text is None else text)


def _decode(text: str) -> str:
    # Go ignores line breaks only.
    compact = text.replace("\n", "").replace("\r", "")
    try:
        text = base64.b64decode(compact, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        raise ScalarError("!!binary needs text in base64; correct it, or remove the tag") from None
    # Go writes one replacement character for each invalid byte.
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _json_number(value: float) -> int | float:
    """Return the number that a reader of JSON gets, in which Go writes 1.0 as 1."""
    # The shortest digits that identify the number, filled with zeros, as Go writes it
    return int(Decimal(repr(value))) if value.is_integer() and abs(value) < _EXPONENT_FORM else value


def _key_of_float(value: float) -> str:
    """Return a number as Go writes it with 32 bits: the shortest digits, from a million on with an exponent."""
    try:
        (short,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        raise ScalarError(f"{value} cannot be the name of a field; put it in quotes") from None
    texts = (f"{short:.{digits}e}" for digits in range(_DIGITS_OF_FLOAT32))
    text = next(
        (each for each in texts if struct.unpack("<f", struct.pack("<f", float(each))) == (short,)), repr(short)
    )
    mantissa, _, exponent = text.partition("e")
    if -5 < int(exponent) < 6:
        return f"{Decimal(text):f}"
    return f"{mantissa}e{exponent}"
