"""Parses JSON strictly: NaN and Infinity are refused, and numbers with a point become Decimals. Pure."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from financehub_shared.core.errors import MalformedError


def loads(provider: str, body: bytes) -> Any:
    """Parse a JSON body.

    Args:
        provider: Name of the provider, for the error.
        body: The decompressed body.

    Raises:
        MalformedError: The body is HTML, truncated or not UTF-8, contains NaN or Infinity, or is nested too deeply.
    """

    def refuse(constant: str) -> NoReturn:
        raise MalformedError(provider, f"{constant} in JSON")

    try:
        return json.loads(body, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] == b"<":
            raise MalformedError(provider, "expected JSON, got HTML or XML") from None
        # `JSONDecodeError` contains the whole document, so only its position is reported.
        raise MalformedError(
            provider, f"not JSON ({type(error).__name__} at byte {getattr(error, 'pos', 0)} of {len(body)})"
        ) from None
