"""HTTP requests and responses of the health server: only what probes, scrapes and people with curl need.

The server accepts GET and HEAD, ignores bodies and closes the connection after each response. That leaves no state
between requests that a client could exhaust.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from financehub_shared.core.errors import FinanceHubError

#: Longest request line with headers. Probes, scrapes and browsers stay below 2 kB.
MAX_HEAD_BYTES = 8_192

JSON = "application/json"

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
#: RFC 9112, section 3: method, target and version, separated by single spaces.
_REQUEST_LINE = re.compile(r"([A-Z]{1,20}) (\S+) HTTP/1\.[01]")
#: What a request may begin with: a method, or line breaks before it (RFC 9112, section 2.2).
_BEGINNING = re.compile(rb"[\r\n]*[A-Z]{0,20}(?: .*)?", re.DOTALL)
_ABSOLUTE_TARGET = re.compile(r"\Ahttps?://[^/?#]*", re.IGNORECASE)
#: The methods that the server serves. A response to another one lists them (RFC 9110, section 15.5.6).
METHODS = ("GET", "HEAD")


class BadRequestError(FinanceHubError):
    """The bytes are not an HTTP request that the server reads.

    Args:
        status: Status of the response.
        reason: What is wrong, for the response.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body.

    Args:
        method: The method in capitals.
        path: Path of the target, decoded, without query and without a slash at its end.
        accept: Value of the header `Accept`; empty if there is none.
        has_body: Whether the client announces a body, which the server does not read.
    """

    method: str
    path: str
    accept: str = ""
    has_body: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """A response with its whole body."""

    status: HTTPStatus
    content_type: str
    body: bytes

    def head(self) -> bytes:
        """Return the status line and the headers."""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n"
        )
        if self.status is HTTPStatus.METHOD_NOT_ALLOWED:
            head += f"Allow: {', '.join(METHODS)}\r\n"
        head += "\r\n"
        return head.encode("latin-1")


def parse_request(received: bytes) -> tuple[Request, bool] | None:
    """Return the request at the beginning of the received bytes, and whether more bytes follow it.

    Args:
        received: All bytes that the client has sent so far.

    Returns:
        None if the request is not complete yet.

    Raises:
        BadRequestError: The bytes are not HTTP/1.x, or the request line and the headers are longer than
            `MAX_HEAD_BYTES`.
    """
    if _BEGINNING.fullmatch(received) is None:
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "this is not HTTP; TLS is not supported on this port")
    length = len(received)
    received = received.lstrip(b"\r\n")
    end = _END_OF_HEAD.search(received)
    if (end.end() if end else length) > MAX_HEAD_BYTES:
        raise BadRequestError(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the headers are longer than {MAX_HEAD_BYTES} bytes"
        )
    if end is None:
        if b"\n" in received:
            _parse_line(received.decode("latin-1"))
        return None
    head = received[: end.start()].decode("latin-1")
    method, path = _parse_line(head)
    headers = _headers(head)
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    return Request(method, path, headers.get("accept", ""), has_body), len(received) > end.end()


def _parse_line(head: str) -> tuple[str, str]:
    line = head.partition("\n")[0].rstrip("\r")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "the request line is not `METHOD /path HTTP/1.1`")
    path = unquote(_ABSOLUTE_TARGET.sub("", match[2]).partition("?")[0]).rstrip("/")
    return match[1], path or "/"


def _headers(head: str) -> dict[str, str]:
    headers = {}
    for line in head.split("\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers
