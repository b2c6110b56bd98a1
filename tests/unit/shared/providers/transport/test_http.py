"""The HTTP client: errors for bad responses, deadlines, size limits, and no leaked secrets."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import (
    AuthFailedError,
    BlockedError,
    MalformedError,
    NotFoundError,
    NotSentError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    UpstreamError,
)
from financehub_shared.core.settings import Settings
from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.transport.http import HttpClient
from support.upstream import FakeUpstream

URL = "https://upstream.test/path"


class Chunks(httpx.AsyncByteStream):
    """A body that arrives in chunks, and never ends if `endless` is set."""

    def __init__(self, *chunks: bytes, endless: bool = False) -> None:
        self.chunks = chunks
        self.endless = endless
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            for chunk in self.chunks:
                self.sent += len(chunk)
                yield chunk
                await asyncio.sleep(0)
            if not self.endless:
                return


def streaming(stream: Chunks, status: int = 200, **headers: str) -> HttpClient:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, stream=stream))
    return HttpClient(Settings(max_response_bytes=100_000), SystemClock(), transport)


def soon() -> float:
    return SystemClock().monotonic() + 60


@pytest.mark.parametrize(
    ("status", "headers", "body", "error", "retry_after"),
    [
        (429, {"retry-after": "30"}, b"", RateLimitedError, 30),
        (418, {"retry-after": "120"}, b"", RateLimitedError, 120),
        (429, {}, b"", RateLimitedError, None),
        (429, {"retry-after": "soon"}, b"", RateLimitedError, None),
        (429, {"retry-after": "-5"}, b"", RateLimitedError, None),
        (429, {"retry-after": "99999999999999999999"}, b"", RateLimitedError, 3 * 86_400),
        (
            429,
            {"retry-after": "Fri, 31 Jan 2025 12:01:00 GMT", "date": "Fri, 31 Jan 2025 12:00:00 GMT"},
            b"",
            RateLimitedError,
            60,
        ),
        (503, {"retry-after": "Fri, 31 Jan 2025 12:00:00 GMT"}, b"", UpstreamError, 0),
        (401, {}, b"", AuthFailedError, None),
        (403, {}, b"<html>", BlockedError, None),
        (403, {}, b"error code: 1020", BlockedError, None),
        (429, {}, b"error code: 1020", BlockedError, None),
        (451, {}, b"", BlockedError, None),
        (404, {}, b"{}", NotFoundError, None),
        (410, {}, b"", NotFoundError, None),
        (408, {}, b"", ProviderTimeoutError, None),
        (400, {}, b"", UpstreamError, None),
        (500, {}, b"?", UpstreamError, None),
        (302, {"location": "https://elsewhere.test"}, b"", UpstreamError, None),
        (304, {}, b"", MalformedError, None),
        (200, {}, b"<!DOCTYPE html><p>Will be right back", MalformedError, None),
        (200, {}, b"", MalformedError, None),
        (200, {}, b'{"a": 1', MalformedError, None),
        (200, {}, b'{"a": NaN}', MalformedError, None),
        (200, {}, b'{"a": -Infinity}', MalformedError, None),
        (200, {}, b"\xff\xfe\xfd", MalformedError, None),
        (200, {}, b"[" * 50_000, MalformedError, None),
        (200, {"content-encoding": "br"}, b"{}", MalformedError, None),
        (200, {"content-encoding": "gzip"}, b"{}", MalformedError, None),
        (200, {"content-encoding": "gzip"}, gzip.compress(b'{"a": 1}', mtime=0)[:-9], UpstreamError, None),
    ],
)
async def test_client_with_a_bad_answer_raises_its_error(
    status: int, headers: dict[str, str], body: bytes, error: type[ProviderError], retry_after: float | None
):
    """Each status and each broken body raises the documented error, with the Retry-After seconds."""

    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

    http = HttpClient(Settings(), FakeUpstream(refuse).clock, httpx.MockTransport(refuse))
    with pytest.raises(error) as caught:
        await http.get_json("upstream", URL, deadline=10)
    assert type(caught.value) is error
    assert caught.value.retry_after == retry_after


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (httpx.ConnectTimeout("x"), ProviderTimeoutError),
        (httpx.ReadTimeout("x"), ProviderTimeoutError),
        (httpx.PoolTimeout("x"), ProviderTimeoutError),
        (httpx.ConnectError("x"), UpstreamError),
        (httpx.ReadError("x"), UpstreamError),
        (httpx.RemoteProtocolError("x"), UpstreamError),
        (httpx.ProxyError("x"), UpstreamError),
        (httpx.LocalProtocolError("Illegal header value b'SECRET-KEY'"), UpstreamError),
        (httpx.DecodingError("x"), MalformedError),
        (httpx.InvalidURL("x"), UpstreamError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
async def test_client_with_an_httpx_exception_raises_a_provider_error(raised: Exception, error: type[ProviderError]):
    """Every httpx exception is translated, and neither the error nor its traceback contains a header with a key."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise raised

    upstream = FakeUpstream(fail)
    with pytest.raises(error) as caught:
        await upstream.http.get("upstream", URL, deadline=upstream.deadline, headers={"x-key": "SECRET-KEY"})
    assert "SECRET-KEY" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("headers", "chunk"),
    [({}, b"x" * 10_000), ({"content-encoding": "gzip"}, b"\0" * 10_000)],
    ids=["plain", "gzip header and then garbage"],
)
async def test_client_with_an_endless_body_stops_at_the_limit(headers: dict[str, str], chunk: bytes):
    """Reading stops at most one chunk after the limit."""
    first = gzip.compress(b"{}") if headers else b""
    stream = Chunks(first + chunk, chunk, endless=True)
    with pytest.raises(MalformedError):
        await streaming(stream, **headers).get("upstream", URL, deadline=soon())
    assert stream.sent <= 130_000


async def test_client_with_a_content_length_over_the_limit_reads_nothing():
    """A Content-Length over the limit is enough to refuse a response."""
    stream = Chunks(b"x" * 1_000)
    with pytest.raises(MalformedError, match="9999999"):
        await streaming(stream, **{"content-length": "9999999"}).get("upstream", URL, deadline=soon())
    assert stream.sent == 0


async def test_client_with_a_zip_bomb_uses_no_more_memory_than_the_limit():
    """A small body that inflates a thousandfold is refused, and takes about as much memory as the limit."""
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(MalformedError, match="after decompression"):
            await streaming(Chunks(bomb), **{"content-encoding": "gzip"}).get("upstream", URL, deadline=soon())
        assert tracemalloc.get_traced_memory()[1] < 1_500_000
    finally:
        tracemalloc.stop()


async def test_client_with_an_endless_error_body_stops_early():
    """A status 500 with an endless body soon raises an upstream error."""
    stream = Chunks(b"x" * 1_000, endless=True)
    with pytest.raises(UpstreamError, match="500"):
        await streaming(stream, status=500).get("upstream", URL, deadline=soon())
    assert stream.sent <= 10_000


async def test_client_requests_gzip_and_inflates_it():
    """The client accepts only gzip and returns the inflated body."""
    upstream = FakeUpstream(lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=b""))
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        body = httpx.ByteStream(gzip.compress(b'{"price": 1.10}'))
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=body)

    http = HttpClient(Settings(), upstream.clock, httpx.MockTransport(answer))
    parsed = await http.get_json("upstream", URL, deadline=10)
    assert str(parsed["price"]) == "1.10"
    assert requests[0].headers["accept-encoding"] == "gzip"


async def test_client_with_a_dripping_answer_ends_at_the_deadline():
    """A response that keeps arriving does not keep a call alive after its deadline."""

    class Drip(Chunks):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    started = SystemClock().monotonic()
    with pytest.raises(ProviderTimeoutError):
        await streaming(Drip()).get("upstream", URL, deadline=started + 0.1)
    assert SystemClock().monotonic() - started < 60  # Without the deadline it would never end.


async def test_client_after_the_deadline_sends_nothing():
    """A call whose deadline has passed fails before it reaches the network."""
    upstream = FakeUpstream(lambda _: httpx.Response(200))
    with pytest.raises(ProviderTimeoutError):
        await upstream.http.get("upstream", URL, deadline=-1)
    assert upstream.requests == []


async def test_client_follows_redirects_only_on_request():
    """A redirect is an error by default. If requested, at most five redirects are followed."""

    def answer(request: httpx.Request) -> httpx.Response:
        hop = int(request.url.params.get("hop", "0"))
        if request.url.path == "/loop" or hop < 2:
            return httpx.Response(302, headers={"location": f"{request.url.path}?hop={hop + 1}"}, content=b"x" * 10)
        return httpx.Response(200, content=b"here")

    upstream = FakeUpstream(answer)
    with pytest.raises(UpstreamError, match="redirect"):
        await upstream.http.get("upstream", URL, deadline=upstream.deadline)
    assert len(upstream.requests) == 1
    found = await upstream.http.get("upstream", URL, deadline=upstream.deadline, follow_redirects=True)
    assert found.body == b"here"
    upstream.requests.clear()
    with pytest.raises(UpstreamError, match="redirect"):
        await upstream.http.get("u", "https://u.test/loop", deadline=upstream.deadline, follow_redirects=True)
    assert len(upstream.requests) == 6


def test_client_in_a_second_event_loop_works():
    """The pool is built in the loop that uses it, so a second loop in the same process works."""
    http = HttpClient(Settings(), SystemClock(), httpx.MockTransport(lambda _: httpx.Response(204, stream=Chunks())))

    async def call() -> int:
        try:
            return (await http.get("upstream", URL, deadline=soon())).status
        finally:
            await http.aclose()

    assert [asyncio.run(call()), asyncio.run(call())] == [204, 204]


@pytest.mark.parametrize("environment", [{}, {"HTTPS_PROXY": "http://127.0.0.1:1"}])
async def test_request_to_a_port_that_does_not_exist_is_not_sent(environment: dict[str, str]) -> None:
    """A feed that redirects to such a URL fails alone. Another error would cost all feeds of the provider."""
    settings = Settings()
    client = HttpClient(settings, SystemClock(), egress=Egress.from_environment(settings, environment))
    with pytest.raises(NotSentError, match="InvalidURL"):
        await client.get("rss", "https://127.0.0.2:65536/", deadline=soon())
    with pytest.raises(NotSentError, match="InvalidURL"):
        await client.get("rss", "https://upstream.test:99999/", deadline=soon())
    await client.aclose()
