"""Translates HTTP statuses, Retry-After headers and httpx exceptions into provider errors. Pure."""

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


def error_of_exception(provider: str, error: httpx.HTTPError | httpx.InvalidURL) -> ProviderError:
    """Return the error for a request that received no response.

    httpx messages can quote headers and URLs, so only the failure type is reported.
    """
    name = type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return ConnectTimeoutError(provider, f"no answer in time ({name})")
        case httpx.TimeoutException():
            return ProviderTimeoutError(provider, f"no answer in time ({name})")
        case httpx.DecodingError():
            return MalformedError(provider, "the body cannot be decompressed")
        case httpx.ConnectError():
            # After an error of TLS, the host is reached.
            kind = UpstreamError if _is_tls_error(error) else UnreachableError
            return kind(provider, f"cannot connect ({name}); check the base URL and whether the host is up")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError() | httpx.ProxyError():
            return NotSentError(provider, f"cannot send the request ({name}); correct the URL, the key or the proxy")
        case _:
            return UpstreamError(provider, f"the connection broke ({name})")


def _is_tls_error(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None
