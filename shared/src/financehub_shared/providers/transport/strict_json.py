"""JSON as the standard has it: no NaN, no Infinity; numbers with a point become Decimals. Pure."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from financehub_shared.core.errors import MalformedError


def loads(provider: str, body: bytes) -> Any:
    """Parse a JSON body.

    Args:
        provider: the adapter's name, for the error.
        body: the decompressed body.

    Raises:
        MalformedError: HTML, cut, not UTF-8, NaN or Infinity, nested without end.
    """

    def refuse(constant: str) -> NoReturn:
        raise MalformedError(provider, f"{constant} in JSON")

    try:
        return json.loads(body, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] == b"<":
            raise MalformedError(provider, "HTML or XML where JSON was due") from None
        # `JSONDecodeError` carries the document; only its position is told.
        raise MalformedError(
            provider, f"not JSON ({type(error).__name__} at byte {getattr(error, 'pos', 0)} of {len(body)})"
        ) from None
