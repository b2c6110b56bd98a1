"""Translates HTTP statuses, Retry-After headers and httpx exceptions into provider errors. Pure."""

import re
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import (
    AuthFailedError,
    BlockedError,
    ConnectTimeoutError,
    MalformedError,
    NotFoundError,
    NotSentError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    UnreachableError,
    UpstreamError,
)
from financehub_shared.providers.transport.connection_errors import (
    certificate_refused,
    host_of,
    proxy_not_reached,
    proxy_refused,
    proxy_silent,
)
from financehub_shared.providers.transport.peer_certificate import CertificateProblem
from financehub_shared.providers.transport.proxies import Proxy

#: The status at the start of httpx's message for a proxy that refused.
_PROXY_STATUS = re.compile(r"\d{3}(?= )")
#: Longest `Retry-After` that is trusted. Binance's longest documented ban is three days.
RETRY_AFTER_MAX_SECONDS = 3.0 * DAY_SECONDS

_STATUSES: Mapping[int, tuple[type[ProviderError], str]] = {
    401: (AuthFailedError, "the key was refused or is missing"),
    403: (BlockedError, "access refused"),
    404: (NotFoundError, "nothing is at this address"),
    407: (AuthFailedError, "the proxy requires a password"),
    408: (ProviderTimeoutError, "the upstream gave up waiting"),
    410: (NotFoundError, "permanently removed"),
    418: (RateLimitedError, "banned for ignoring 429"),
    429: (RateLimitedError, "too many calls"),
    451: (BlockedError, "not available in this country"),
}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the delay in seconds of a `Retry-After` header in either form (RFC 9110, 10.2.3).

    Args:
        headers: Response headers with lower-case names.
        now: Unix seconds, used if the response does not have a `Date` header.

    Returns:
        At least 0 and at most three days. None if the header is missing or unreadable.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        seconds = float(value[:12])
    else:
        until = _http_date(value)
        if until is None:
            return None
        # The server's own clock is preferred, because ours may be wrong.
        seconds = until - (_http_date(headers.get("date", "")) or now)
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_SECONDS)


def _http_date(value: str) -> float | None:
    try:
        parsed: datetime = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def error_of_status(
    provider: str, status: int, headers: Mapping[str, str], body_start: bytes, now: float
) -> ProviderError:
    """Return the error for a response with an error status.

    The body may repeat a key, so the error does not quote it.

    Args:
        provider: Name of the provider.
        status: HTTP status other than a success.
        headers: Response headers with lower-case names.
        body_start: The first bytes of the body, which contain Cloudflare's error code.
        now: Unix seconds.
    """
    wait = retry_after(headers, now)
    if b"1020" in body_start and (status == 403 or b"error code" in body_start.lower()):
        return BlockedError(provider, f"HTTP {status}, Cloudflare 1020: this IP address is blocked", wait)
    kind, meaning = _STATUSES.get(status, (UpstreamError, ""))
    if 300 <= status < 400:
        meaning = "a redirect, which is not followed; correct the base URL"
    elif status >= 500:
        meaning = "the server failed"
    return kind(provider, f"HTTP {status}{meaning and ': '}{meaning}", wait)


def error_of_exception(
    provider: str,
    error: httpx.HTTPError | httpx.InvalidURL,
    proxy: Proxy | None = None,
    problem: CertificateProblem | None = None,
) -> ProviderError:
    """Return the error for a request that received no response.

    httpx messages can quote headers and URLs, so only the failure type and the host are reported.

    Args:
        provider: Name of the provider.
        error: The exception of httpx.
        proxy: Proxy of the request, if there is one.
        problem: What is wrong with the certificate of the host, if it is known.
    """
    name = type(error).__name__
    match error:
        case httpx.ConnectTimeout() | httpx.ConnectError() | httpx.ProxyError():
            return _error_of_connection(provider, error, proxy, problem)
        case httpx.TimeoutException():
            return ProviderTimeoutError(provider, f"no answer in time ({name})")
        case httpx.DecodingError():
            return MalformedError(provider, "the body cannot be decompressed")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError():
            return NotSentError(provider, f"cannot send the request ({name}); correct the URL or the key")
        case _:
            return UpstreamError(provider, f"the connection broke ({name})")


def _error_of_connection(
    provider: str,
    error: httpx.TransportError,
    proxy: Proxy | None,
    problem: CertificateProblem | None,
) -> ProviderError:
    """Return the error for a request without a connection."""
    name, url = type(error).__name__, url_of(error)
    is_resolved = not caused_by(error, socket.gaierror)
    found: ProviderError
    match error:
        case httpx.ProxyError() if proxy is not None:
            status = _PROXY_STATUS.match(str(error))
            found = proxy_refused(provider, proxy, url, int(status[0]) if status else 0)
        case httpx.ProxyError():
            found = NotSentError(provider, f"cannot send the request ({name}); correct the proxy")
        case httpx.ConnectTimeout() if proxy is not None:
            found = proxy_silent(provider, proxy, url)
        case httpx.ConnectTimeout():
            found = ConnectTimeoutError(provider, f"no answer in time ({name})")
        case _ if caused_by(error, ssl.SSLError):  # the host is reached, or something that answers in its place
            found = certificate_refused(provider, url, proxy, problem)
        case _ if proxy is not None:
            found = proxy_not_reached(provider, proxy, is_resolved=is_resolved)
        case _ if not is_resolved:
            detail = f"the name {host_of(url)} does not resolve; check the DNS and the base URL, or set HTTPS_PROXY"
            found = UnreachableError(provider, detail)
        case _:
            detail = f"cannot connect to {host_of(url)} ({name}); check the base URL and whether the host is up"
            found = UnreachableError(provider, detail)
    return found


def url_of(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    """Return the address whose request failed, or an empty string if there was no request."""
    try:
        return str(error.request.url) if isinstance(error, httpx.HTTPError) else ""
    except RuntimeError:  # the exception was raised without a request
        return ""


def caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an exception of this kind is among the causes of an error."""
    while error is not None and not isinstance(error, kind):
        if isinstance(error, BaseExceptionGroup):
            return any(caused_by(each, kind) for each in error.exceptions)
        error = error.__cause__ or error.__context__
    return error is not None
