"""HTTP as FinanceHub speaks it: one pool a process, deadlines, a cap on bytes, errors translated at the edge."""

import asyncio
import contextlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import MalformedError, ProviderTimeoutError, UpstreamError
from financehub_shared.core.settings import Settings
from financehub_shared.providers.transport import strict_json
from financehub_shared.providers.transport.loop_local import PerLoop
from financehub_shared.providers.transport.status import error_of_exception, error_of_status

#: Some feeds answer 403 to anything that does not begin like a browser.
USER_AGENT = "Mozilla/5.0 (compatible; FinanceHub/0.1)"
#: Enough of an error's body to see Cloudflare's code or an upstream's own.
ERROR_BODY_BYTES = 4_096
REDIRECTS_MAX = 5
#: More parallel connections than the widest fan-out (bars, 16) and a feed or two.
POOL = httpx.Limits(max_connections=32, max_keepalive_connections=20)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that was read to its end.

    Args:
        status: HTTP status.
        headers: names in lower case.
        body: decompressed, at most `max_response_bytes`.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Sends GET requests for all adapters of a process.

    Args:
        settings: connect and read timeouts, the cap on response bytes.
        clock: for deadlines and HTTP dates.
        transport: another way to send, for tests; None: the network.
    """

    def __init__(self, settings: Settings, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._connect_seconds = settings.connect_timeout_seconds
        self._read_seconds = settings.read_timeout_seconds
        self._max_bytes = settings.max_response_bytes
        self._clock = clock
        self._client = PerLoop(
            lambda: httpx.AsyncClient(
                # gzip alone is asked for: `_Body` bounds what it inflates to, httpx's own decoders do not.
                headers={"user-agent": USER_AGENT, "accept-encoding": "gzip"},
                limits=POOL,
                transport=transport,
            )
        )

    async def get(
        self,
        provider: str,
        url: str,
        *,
        deadline: float,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        handled: frozenset[int] = frozenset(),
        follow_redirects: bool = False,
        max_bytes: int | None = None,
    ) -> Response:
        """Send one request and read its answer.

        Args:
            provider: the adapter's name, for errors.
            url: absolute; holds no secret.
            deadline: monotonic seconds by which the whole answer must be there.
            params: query parameters, no secrets.
            headers: further headers; a key goes here and nowhere else.
            handled: error statuses the caller reads itself; their body is cut at `ERROR_BODY_BYTES`.
            follow_redirects: only for requests without a key, which another host would see.
            max_bytes: a lower cap than the setting's.

        Raises:
            ProviderError: translated from whatever went wrong.
        """
        remaining = deadline - self._clock.monotonic()
        if remaining <= 0:
            raise ProviderTimeoutError(provider, "the deadline passed before the request")
        client = self._client.get()
        timeout = httpx.Timeout(min(self._read_seconds, remaining), connect=min(self._connect_seconds, remaining))
        call = _Call(provider, handled, min(max_bytes or self._max_bytes, self._max_bytes))
        try:
            request = client.build_request("GET", url, params=params, headers=dict(headers or {}), timeout=timeout)
            # httpx's read timeout is per chunk: only this ends an answer that drips.
            async with asyncio.timeout(remaining):
                return await self._send(client, call, request, REDIRECTS_MAX if follow_redirects else 0)
        except TimeoutError:
            raise ProviderTimeoutError(provider, f"no complete answer within {remaining:.1f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # `from None`: the cause may quote a header that holds a key.
            raise error_of_exception(provider, error) from None

    async def get_json(
        self,
        provider: str,
        url: str,
        *,
        deadline: float,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """`get`, parsed as strict JSON.

        Raises:
            ProviderError: as `get`, and MalformedError where the body is no JSON.
        """
        response = await self.get(provider, url, deadline=deadline, params=params, headers=headers)
        return strict_json.loads(provider, response.body)

    async def _send(self, client: httpx.AsyncClient, call: "_Call", request: httpx.Request, redirects: int) -> Response:
        # httpx's own redirect handling reads the redirect's body without a bound.
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            if response.next_request is None or not redirects:
                return await self._read(response, call)
            next_request = response.next_request
        finally:
            await response.aclose()
        return await self._send(client, call, next_request, redirects - 1)

    async def _read(self, response: httpx.Response, call: "_Call") -> Response:
        status = response.status_code
        headers = {name.lower(): value for name, value in response.headers.items()}
        if status == 304:
            return Response(status, headers, b"")
        if response.is_success:
            return Response(status, headers, await _read_all(response, headers, call))
        start = await _read_start(response, headers, call)
        if status in call.handled:
            return Response(status, headers, start)
        raise error_of_status(call.provider, status, headers, start, self._clock.now())

    async def aclose(self) -> None:
        """Close the pool."""
        client = self._client.take()
        if client is not None:
            await client.aclose()


@dataclass(frozen=True, slots=True)
class _Call:
    provider: str
    handled: frozenset[int]
    max_bytes: int


async def _read_all(response: httpx.Response, headers: Mapping[str, str], call: _Call) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced[:18]) > call.max_bytes:
        raise MalformedError(call.provider, f"an answer of {announced[:18]} bytes; at most {call.max_bytes} are read")
    body = _Body(call.provider, headers.get("content-encoding", ""), call.max_bytes)
    async for chunk in response.aiter_raw():
        body.feed(chunk)
        if body.too_large:
            raise MalformedError(call.provider, f"more than {call.max_bytes} bytes, decompressed")
    return body.finish()


async def _read_start(response: httpx.Response, headers: Mapping[str, str], call: _Call) -> bytes:
    # A body that breaks off or does not decompress changes nothing: the status says what to do.
    with contextlib.suppress(httpx.HTTPError, MalformedError):
        body = _Body(call.provider, headers.get("content-encoding", ""), ERROR_BODY_BYTES)
        async for chunk in response.aiter_raw():
            body.feed(chunk)
            if body.too_large:
                break
        return bytes(body.data[:ERROR_BODY_BYTES])
    return b""


class _Body:
    """Collects a body and inflates it no further than one byte past `limit`, so a zip bomb costs `limit` bytes."""

    def __init__(self, provider: str, encoding: str, limit: int) -> None:
        self.data = bytearray()
        self._received = 0
        self._provider = provider
        self._limit = limit
        encoding = encoding.strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise MalformedError(provider, f"content-encoding {encoding[:40]!r} was not asked for")
        self._gzip = zlib.decompressobj(wbits=31) if "gzip" in encoding else None

    @property
    def too_large(self) -> bool:
        # Received bytes count too: what follows the end of the gzip stream would pile up unseen.
        return max(len(self.data), self._received) > self._limit

    def feed(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._gzip is None:
            self.data += chunk
            return
        room = self._limit + 1 - len(self.data)
        try:
            self.data += self._gzip.decompress(chunk, room)
        except zlib.error as error:
            raise MalformedError(self._provider, "the body does not decompress") from error

    def finish(self) -> bytes:
        if self._gzip is not None and not self._gzip.eof and self.data:
            raise UpstreamError(self._provider, "the compressed body was cut")
        return bytes(self.data)
