"""Builds responses with headers, an ETag and compression."""

import gzip
import hashlib
import re
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from financehub_web.console.headers import SAFE_HEADERS
from financehub_web.http.encodings import accepts_gzip

#: Texts that change with every second. They do not count for the ETag, because the script of the console updates them.
#: So does the time at which the data was read.
_CHANGING = re.compile(r"(<time [^>]*>)[^<]*|data-(?:now|at)=\"[^\"]*\"|<span id=\"updated\">.*?</span>")


def respond(request: Request, text: str, media_type: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return a response, or 304 if the client has the same content.

    Args:
        request: The request.
        text: The content.
        media_type: Its media type.
        status: The HTTP status.
    """
    content = _CHANGING.sub(r"\1", text).encode()
    tag = f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {**SAFE_HEADERS, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding", "ETag": tag}
    if status is HTTPStatus.OK and tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    body = text.encode()
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        body = gzip.compress(body, 5)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type)
