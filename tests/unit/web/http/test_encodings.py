"""Tests of the encodings that clients accept."""

import pytest
from starlette.requests import Request

from financehub_web.console.responses import respond
from financehub_web.http.encodings import accepts_gzip


@pytest.mark.parametrize(
    ("header", "accepted"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("*, gzip;q=0", False), ("", False)],
)
def test_accepts_gzip_follows_the_qualities(header: str, accepted: bool) -> None:
    """A client that does not name gzip, or refuses it, gets the plain body."""
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(("header", "encoding"), [("gzip;q=0", None), ("identity", None), ("gzip", "gzip")])
def test_page_is_compressed_only_if_the_client_accepts_it(header: str, encoding: str | None) -> None:
    """The console reads the header as the API does, so a quality of 0 refuses gzip."""
    request = Request({"type": "http", "headers": [(b"accept-encoding", header.encode())]})
    assert respond(request, "page", "text/html").headers.get("Content-Encoding") == encoding
