"""Parses JSON strictly: NaN and Infinity are refused, and numbers with a point become Decimals. Pure."""

import codecs
import json
import math
from decimal import Decimal
from typing import Any

from financehub_shared.core.errors import MalformedError
from financehub_shared.providers.transport.damaged_json import (
    PARSE_ERRORS,
    describe_problem,
    read_elements,
    read_object,
    refuse_constant,
)

#: Largest number of digits of an integer in columns of figures. A volume or a time has at most 20.
DIGITS_MAX = 40


def loads(provider: str, body: bytes, elements: str | None = None) -> Any:
    """Parse a JSON body.

    Args:
        provider: Name of the provider, for the error.
        body: The decompressed body.
        elements: Key of the array or object in which each element that is not JSON is replaced with a `Damaged`. The
            other elements are unchanged. Empty if the document itself is that array. None if the whole document must be
            valid.

    Raises:
        MalformedError: The body is HTML, truncated or not UTF-8, contains NaN or Infinity, or is nested too deeply, and
            this affects more than single elements.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=refuse_constant, object_pairs_hook=read_object)
    except PARSE_ERRORS as error:
        document = None if elements is None or _is_markup(body) else read_elements(body, elements)
        if document is not None:
            return document
        raise _error(provider, body, error) from None


def load_figures(provider: str, body: bytes) -> Any:
    """Parse a JSON body with columns of thousands of figures, in which a NaN must not affect the other figures.

    Numbers become floats, which is faster than Decimals. NaN and Infinity become floats that are not finite.

    Raises:
        MalformedError: The body is HTML, truncated or not UTF-8, or is nested too deeply.
    """
    try:
        return json.loads(body, object_pairs_hook=read_object)
    except json.JSONDecodeError as error:
        raise _error(provider, body, error) from None
    except PARSE_ERRORS:
        pass  # for example, an integer with thousands of digits
    try:
        return json.loads(body, parse_int=_integer, object_pairs_hook=read_object)
    except PARSE_ERRORS as error:
        raise _error(provider, body, error) from None


def _integer(text: str) -> int | float:
    """Return an integer, or NaN for an implausibly long one, whose conversion could take too much time."""
    return int(text) if len(text) <= DIGITS_MAX else math.nan


def _is_markup(body: bytes) -> bool:
    return body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<"


def _error(provider: str, body: bytes, error: Exception) -> MalformedError:
    if _is_markup(body):
        return MalformedError(provider, "expected JSON, got HTML or XML")
    return MalformedError(provider, f"the answer of {len(body)} bytes is not JSON: {describe_problem(error)}")
