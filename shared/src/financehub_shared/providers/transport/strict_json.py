"""Parses JSON strictly: NaN and Infinity are refused, and numbers with a point become Decimals. Pure."""

import json
from decimal import Decimal
from typing import Any

from financehub_shared.core.errors import MalformedError
from financehub_shared.providers.transport.damaged_json import (
    PARSE_ERRORS,
    describe_problem,
    read_elements,
    refuse_constant,
)


def loads(provider: str, body: bytes, elements: str | None = None) -> Any:
    """Parse a JSON body.

    Args:
        provider: Name of the provider, for the error.
        body: The decompressed body.
        elements: Key of the array or object whose elements can be lost one by one. Empty if the document itself is
            that array. None if the document is valid as a whole or not at all. In the place of an element that is not
            JSON stands a `Damaged`. All other elements are as sent.

    Raises:
        MalformedError: The body is HTML, truncated or not UTF-8, contains NaN or Infinity, or is nested too deeply, and
            more than single elements are affected.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=refuse_constant)
    except PARSE_ERRORS as error:
        if body.lstrip()[:1] == b"<":
            raise MalformedError(provider, "expected JSON, got HTML or XML") from None
        document = None if elements is None else read_elements(body, elements)
        if document is not None:
            return document
        problem = describe_problem(error)
        raise MalformedError(provider, f"the answer of {len(body)} bytes is not JSON: {problem}") from None
