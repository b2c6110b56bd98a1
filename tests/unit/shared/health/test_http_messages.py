"""Parsing of requests that the health server receives."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.health.http_messages import (
    MAX_HEAD_BYTES,
    BadRequestError,
    Request,
    Response,
    parse_request,
)

END = b"\r\n\r\n"


@pytest.mark.parametrize(
    ("received", "request_", "has_more"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: here", Request("GET", "/livez"), False),
        (b"HEAD /api/health/?full=1 HTTP/1.0", Request("HEAD", "/api/health"), False),
        (
            b"GET http://here:8000/metrics HTTP/1.1\r\nACCEPT:  text/plain ",
            Request("GET", "/metrics", "text/plain"),
            False,
        ),
        (b"\r\nGET / HTTP/1.1", Request("GET", "/"), False),
        (b"GET /%6Civez?next=http://a/b HTTP/1.1", Request("GET", "/livez"), False),
        (b"GET /livez HTTP/1.1\r\nA: b\r\n  folded\r\nno colon\r\n: x", Request("GET", "/livez"), False),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 5", Request("POST", "/livez", has_body=True), False),
        (b"PUT /livez HTTP/1.1\r\nTransfer-Encoding: chunked", Request("PUT", "/livez", has_body=True), False),
    ],
)
def test_parse_request_returns_the_request(received: bytes, request_: Request, has_more: bool) -> None:
    """The method, the path, the accepted formats and an announced body are read, and everything else is ignored."""
    assert parse_request(received + END) == (request_, has_more)
    assert parse_request(received.replace(b"\r\n", b"\n") + b"\n\n") == (request_, False)
    assert parse_request(received + END + b"GET /livez HTTP/1.1" + END) == (request_, True)


@given(st.integers(1, 60))
def test_parse_request_with_a_part_waits(length: int) -> None:
    """Every part of a request is incomplete rather than wrong."""
    whole = b"GET /api/health/?a=1 HTTP/1.1\r\nHost: here\r\nUser-Agent: x\r\n\r\n"
    assert parse_request(whole[: min(length, len(whole) - 1)]) is None


@pytest.mark.parametrize(
    ("received", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", HTTPStatus.BAD_REQUEST, id="tls"),
        pytest.param(b"GET /livez\r\n", HTTPStatus.BAD_REQUEST, id="http-0.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTPStatus.BAD_REQUEST, id="http-2"),
        pytest.param(b"*1\r\n$4\r\nPING\r\n", HTTPStatus.BAD_REQUEST, id="redis"),
        pytest.param(b"GET  /two-spaces HTTP/1.1\r\n\r\n", HTTPStatus.BAD_REQUEST, id="spaces"),
        pytest.param(b"GET /" + b"a" * MAX_HEAD_BYTES, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, id="long-path"),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2_000, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, id="many-headers"
        ),
        pytest.param(b"\r\n" * MAX_HEAD_BYTES, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, id="line-breaks"),
    ],
)
def test_parse_request_with_something_else_refuses_it_before_its_end(received: bytes, status: HTTPStatus) -> None:
    """Bytes that cannot become a request are refused at once, so that their connection does not stay open."""
    with pytest.raises(BadRequestError) as refused:
        parse_request(received)
    assert refused.value.status == status


@given(st.binary(max_size=300))
def test_parse_request_with_any_bytes_ends_in_one_of_three_ways(received: bytes) -> None:
    """Arbitrary bytes are incomplete, a request, or refused."""
    for data in (received, b"GET " + received, b"GET / HTTP/1.1\r\n" + received):
        try:
            parsed = parse_request(data)
        except BadRequestError:
            continue
        if parsed is not None:
            Response(HTTPStatus.OK, parsed[0].accept, b"").head()


def test_response_to_another_method_names_the_methods() -> None:
    """The header `Allow` says which methods the server serves (RFC 9110, section 15.5.6)."""
    assert b"\r\nAllow: GET, HEAD\r\n\r\n" in Response(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"").head()


def test_response_head_has_length_of_the_body() -> None:
    """A response states the length of its body and that the server closes the connection."""
    head = Response(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"12345").head()
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nContent-Length: 5\r\n" in head
    assert b"\r\nConnection: close\r\n" in head
    assert head.endswith(END)
