"""Reads the values of a form from the body of a request."""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from financehub_web.console.errors import PageError

#: Largest form in bytes: a thousand ids of dead letters.
MOST_BYTES: Final = 100_000
#: Largest number of values in a form: a thousand ids, and twice as many as a page could send.
MOST_VALUES: Final = 2_000


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the values of a form by their names.

    Raises:
        PageError: The form is too large, or the connection was closed before all of it arrived.
    """
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise _too_large(f"{MOST_BYTES:,} bytes")
    except ClientDisconnect as error:
        detail = "The connection was closed before the whole form arrived. Nothing was changed."
        raise PageError(HTTPStatus.REQUEST_TIMEOUT, "The form is not complete", detail) from error
    if body.count(b"&") >= MOST_VALUES:
        raise _too_large(f"{MOST_VALUES:,} values")
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)


def _too_large(limit: str) -> PageError:
    detail = f"The form has more than {limit}. Select fewer rows."
    return PageError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too large", detail)
