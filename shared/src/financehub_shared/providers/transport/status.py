"""From what HTTP says to the error taxonomy: statuses, Retry-After, httpx's exceptions. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from financehub_shared.core.errors import (
    AuthFailedError,
    BlockedError,
    MalformedError,
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    UpstreamError,
)

#: Longest stay-away that is believed: Binance's longest documented ban is three days.
RETRY_AFTER_MAX_SECONDS = 3 * 86_400.0

_STATUSES: Mapping[int, tuple[type[ProviderError], str]] = {
    401: (AuthFailedError, "the key was refused or is missing"),
    403: (BlockedError, "access refused"),
    404: (NotFoundError, ""),
    407: (AuthFailedError, "the proxy wants a password"),
    408: (ProviderTimeoutError, ""),
    410: (NotFoundError, "gone for good"),
    418: (RateLimitedError, "banned for ignoring 429"),
    429: (RateLimitedError, ""),
    451: (BlockedError, "not served to this country"),
}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to stay away, from a `Retry-After` of either form (RFC 9110, 10.2.3).

    Args:
        headers: response headers, lower-case names.
        now: Unix seconds, used when the answer has no `Date` of its own.

    Returns:
        At least 0 and at most three days; None when absent or unreadable.
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
        # The server's own clock, where it tells it: ours may be off.
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
    """The error of an answer whose status says that it is none.

    The body may echo a key, so no part of it goes into the error.

    Args:
        provider: the adapter's name.
        status: HTTP status, anything but a success.
        headers: lower-case names.
        body_start: the first bytes of the body; Cloudflare writes its code there.
        now: Unix seconds.
    """
    wait = retry_after(headers, now)
    if b"1020" in body_start and (status == 403 or b"error code" in body_start.lower()):
        return BlockedError(provider, f"HTTP {status}, Cloudflare 1020: this address is blocked", wait)
    kind, meaning = _STATUSES.get(status, (UpstreamError, ""))
    if 300 <= status < 400:
        meaning = "a redirect that is not followed; correct the base URL"
    return kind(provider, f"HTTP {status}{meaning and ': '}{meaning}", wait)


def error_of_exception(provider: str, error: httpx.HTTPError | httpx.InvalidURL) -> ProviderError:
    """The error of a request that got no answer.

    httpx's messages can quote headers and URLs, so only the kind of failure is told.
    """
    name = type(error).__name__
    match error:
        case httpx.TimeoutException():
            return ProviderTimeoutError(provider, f"no answer in time ({name})")
        case httpx.DecodingError():
            return MalformedError(provider, "the body does not decompress")
        case httpx.ConnectError():
            return UpstreamError(provider, f"cannot connect ({name}); is the base URL right and the host up?")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError():
            return UpstreamError(provider, f"cannot send the request ({name}); correct the URL or key")
        case _:
            return UpstreamError(provider, f"the connection was cut ({name})")
