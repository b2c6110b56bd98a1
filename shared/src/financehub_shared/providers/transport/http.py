"""The HTTP client of all providers: a connection pool per process, deadlines, a size limit and error translation."""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import MalformedError, ProviderError, ProviderTimeoutError
from financehub_shared.core.loop_local import LoopLocal
from financehub_shared.core.release import release_version
from financehub_shared.core.settings import Settings
from financehub_shared.providers.transport import strict_json
from financehub_shared.providers.transport.body import BodyReader
from financehub_shared.providers.transport.connection_errors import proxy_refused
from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.transport.peer_certificate import CertificateInspector, verification_error
from financehub_shared.providers.transport.routing import RoutedTransport
from financehub_shared.providers.transport.status import error_of_exception, error_of_status, url_of

#: Some feeds respond with 403 to a user agent that does not begin like a browser's.
USER_AGENT = f"Mozilla/5.0 (compatible; FinanceHub/{release_version()})"
#: Number of bytes read from an error body: enough for Cloudflare's or the upstream's error code.
ERROR_BODY_BYTES = 4_096
REDIRECTS_MAX = 5
#: Covers the largest number of parallel requests: 16 for bars, and a few for feeds.
POOL = httpx.Limits(max_connections=32, max_keepalive_connections=20)


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response.

    Args:
        status: HTTP status.
        headers: Response headers with lower-case names.
        body: Decompressed body, at most `max_response_bytes` long.
        url: Address after redirects.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class HttpClient:
    """Sends GET requests for all providers of a process.

    Args:
        settings: Timeouts and the limit of response bytes.
        clock: Clock for deadlines and HTTP dates.
        transport: Replaces the network in tests.
        egress: The proxies and the certificate authorities. It defaults to those of the environment.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        egress: Egress | None = None,
    ) -> None:
        self.egress = egress or Egress.from_environment(settings, os.environ)
        self._connect_seconds = settings.connect_timeout_seconds
        self._read_seconds = settings.read_timeout_seconds
        self._max_bytes = settings.max_response_bytes
        self._clock = clock
        self._certificates = CertificateInspector(self.egress, clock)
        self._client = LoopLocal(
            lambda: httpx.AsyncClient(
                # Only gzip is accepted, because `BodyReader` bounds the inflated size and httpx's decoders do not.
                headers={"user-agent": USER_AGENT, "accept-encoding": "gzip"},
                transport=transport or RoutedTransport(self.egress, POOL),
                # `RoutedTransport` chooses the proxy.
                trust_env=False,
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
        """Send one request and read the response.

        Args:
            provider: Name of the provider, for errors.
            url: Absolute URL without secrets.
            deadline: Monotonic time in seconds by which the whole response must be read.
            params: Query parameters without secrets.
            headers: Additional headers. An API key belongs here and nowhere else.
            handled: Error statuses that the caller handles. Their body is cut at `ERROR_BODY_BYTES`.
            follow_redirects: Whether to follow redirects. Not allowed for requests with a key, because the other host
            would receive it.
            max_bytes: A size limit below that of the settings.

        Raises:
            ProviderError: The request failed.
        """
        remaining = deadline - self._clock.monotonic()
        if remaining <= 0:
            raise ProviderTimeoutError(provider, "the deadline passed before the request")
        client = self._client.get()
        timeout = httpx.Timeout(min(self._read_seconds, remaining), connect=min(self._connect_seconds, remaining))
        options = _ReadOptions(provider, handled, min(max_bytes or self._max_bytes, self._max_bytes))
        try:
            request = client.build_request("GET", url, params=params, headers=dict(headers or {}), timeout=timeout)
            # httpx applies its read timeout to each chunk, so only this deadline ends a response that arrives slowly.
            async with asyncio.timeout(remaining):
                return await self._send(client, options, request, REDIRECTS_MAX if follow_redirects else 0)
        except TimeoutError:
            raise ProviderTimeoutError(provider, f"no complete answer within {remaining:.1f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # `from None`, because the cause may quote a header with a key.
            raise await self._explain(provider, error, deadline) from None

    async def get_json(
        self,
        provider: str,
        url: str,
        *,
        deadline: float,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        elements: str | None = None,
    ) -> Any:
        """Send one request as `get` does, and parse the body as `strict_json.loads` does.

        Raises:
            ProviderError: The request failed, or the body is not JSON.
        """
        response = await self.get(provider, url, deadline=deadline, params=params, headers=headers)
        return strict_json.loads(provider, response.body, elements)

    async def _explain(
        self, provider: str, error: httpx.HTTPError | httpx.InvalidURL, deadline: float
    ) -> ProviderError:
        """Return the error for an exception of httpx, with what is wrong with the certificate if it was refused."""
        url = url_of(error)
        problem = None
        seconds = min(self._connect_seconds, deadline - self._clock.monotonic())
        if seconds > 0 and verification_error(error) is not None:
            # The thread itself waits for a free one of the pool first.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    problem = await asyncio.to_thread(self._certificates.find_problem, url, seconds)
        return error_of_exception(provider, error, self.egress.proxy_for(url), problem)

    async def _send(
        self, client: httpx.AsyncClient, options: "_ReadOptions", request: httpx.Request, redirects: int
    ) -> Response:
        # httpx's own handling of redirects reads the body of a redirect without a limit.
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            if response.next_request is None or not redirects:
                return await self._read(response, options)
            next_request = response.next_request
        finally:
            await response.aclose()
        return await self._send(client, options, next_request, redirects - 1)

    async def _read(self, response: httpx.Response, options: "_ReadOptions") -> Response:
        status, url = response.status_code, str(response.url)
        headers = {name.lower(): value for name, value in response.headers.items()}
        if status == 304:
            return Response(status, headers, b"", url)
        if response.is_success:
            return Response(status, headers, await _read_all(response, headers, options), url)
        proxy = self.egress.proxy_for(url)
        if status == 407 and proxy is not None:
            raise proxy_refused(options.provider, proxy, url, status)
        start = await _read_start(response, headers, options)
        if status in options.handled:
            return Response(status, headers, start, url)
        raise error_of_status(options.provider, status, headers, start, self._clock.now())

    async def aclose(self) -> None:
        """Close the connection pool of the running event loop."""
        client = self._client.pop()
        if client is not None:
            await client.aclose()


@dataclass(frozen=True, slots=True)
class _ReadOptions:
    """The arguments of `HttpClient.get` that affect how the response is read."""

    provider: str
    handled: frozenset[int]
    max_bytes: int


async def _read_all(response: httpx.Response, headers: Mapping[str, str], options: _ReadOptions) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced[:18]) > options.max_bytes:
        detail = f"an answer of {announced[:18]} bytes exceeds the limit of {options.max_bytes} bytes"
        raise MalformedError(options.provider, detail)
    body = BodyReader(options.provider, headers.get("content-encoding", ""), options.max_bytes)
    async for chunk in response.aiter_raw():
        body.feed(chunk)
        if body.too_large:
            raise MalformedError(options.provider, f"more than {options.max_bytes} bytes after decompression")
    return body.finish()


async def _read_start(response: httpx.Response, headers: Mapping[str, str], options: _ReadOptions) -> bytes:
    # The status decides, so a body that is truncated or cannot be decompressed does not matter.
    with contextlib.suppress(httpx.HTTPError, MalformedError):
        body = BodyReader(options.provider, headers.get("content-encoding", ""), ERROR_BODY_BYTES)
        async for chunk in response.aiter_raw():
            body.feed(chunk)
            if body.too_large:
                break
        return bytes(body.data[:ERROR_BODY_BYTES])
    return b""
