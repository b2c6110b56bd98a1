"""yfinance's HTTP, made to keep deadlines, sizes and the error taxonomy. Heavy: imported by the first request alone.

yfinance keeps cookie and crumb and knows how to get new ones; everything else is done here, in the one place all its
requests pass: the session. Reasons: ADR 0019.
"""

import threading
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from curl_cffi import CurlECode, requests
from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from yfinance.data import YfData
from yfinance.exceptions import YFException

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import (
    AuthFailedError,
    MalformedError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    UpstreamError,
)
from financehub_shared.providers.transport.status import retry_after
from financehub_shared.providers.yahoo.parse import error_of_answer

# yfinance turns its DeprecationWarnings on at import; they are for its authors.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")

#: Paths of market data; all others (cookie, consent, crumb) are yfinance's own affair.
DATA_PATHS = ("/v7/finance/", "/v8/finance/")
CRUMB_PATH = "/v1/test/getcrumb"
#: Errors of yfinance's cookie and consent code, which takes pages apart without asking what they are.
CRUMB_ERRORS = (YFException, requests.RequestsError, KeyError, TypeError, AttributeError, ValueError)


class _Call(threading.local):
    """What the requests of one `YahooClient.get` share, in its thread."""

    deadline: float = 0.0
    crumb_refused: RateLimitedError | None = None


class YahooSession(requests.Session[requests.Response]):
    """A browser-like session (TLS fingerprint of Chrome) with a deadline and a cap on bytes.

    Args:
        provider: the adapter's name, for errors.
        base_url: replaces scheme and host of every request; None: Yahoo itself, through the environment's proxy.
        timeouts: seconds to connect, and for the whole request.
        max_bytes: largest body, decompressed.
        clock: for deadlines.
    """

    def __init__(
        self, provider: str, base_url: str | None, timeouts: tuple[float, float], max_bytes: int, clock: Clock
    ) -> None:
        super().__init__(impersonate="chrome")
        self.call = _Call()
        self._provider = provider
        self._base = base_url.rstrip("/") if base_url else None
        self._timeouts = timeouts
        self._max_bytes = max_bytes
        self._clock = clock

    def request(self, method: Any, url: str, **options: Any) -> requests.Response:  # type: ignore[override] # as yfinance calls it
        """Send one request of yfinance's.

        Raises:
            ProviderError: for market data, whatever goes wrong; 401 alone is returned, for yfinance to get a new crumb.
            RequestsError: for cookie, consent and crumb, as yfinance expects.
        """
        path = urlsplit(url).path
        body = _Body(self._max_bytes)
        options["timeout"] = self._remaining()
        options["content_callback"] = body.feed
        target = url if self._base is None else self._base + (path or "/") + _query(url)
        is_data = path.startswith(DATA_PATHS)
        try:
            response: requests.Response = super().request(method, target, **options)
        except requests.RequestsError as error:
            if is_data:
                raise _error_of_curl(self._provider, error, body) from None
            raise
        response.content = bytes(body.data)
        headers = {name.lower(): value or "" for name, value in response.headers.items()}
        if path == CRUMB_PATH and response.status_code == 429:
            wait = retry_after(headers, self._clock.now())
            self.call.crumb_refused = RateLimitedError(self._provider, "HTTP 429 for the crumb", wait)
        if is_data and response.status_code >= 400 and response.status_code != 401:
            # yfinance would ask again with another cookie: five requests to an upstream that said no.
            raise error_of_answer(self._provider, response.status_code, headers, response.content, self._clock.now())
        return response

    def _remaining(self) -> tuple[float, float]:
        """(seconds to connect, seconds from there), together no more than one request may take and than is left."""
        left = min(self._timeouts[1], self.call.deadline - self._clock.monotonic())
        if left <= 0:
            raise ProviderTimeoutError(self._provider, "the deadline passed before the request")
        connect = min(self._timeouts[0], left / 2)
        return connect, left - connect


class _Yahoo(YfData):  # type: ignore[misc] # yfinance has no types
    """YfData that keeps its cookie in memory; the original keeps it in SQLite on disk, as a pickle."""

    _cookie: Any

    def _get_cookie_basic(self, timeout: float = 30) -> bool:
        found: bool = super()._get_cookie_basic(timeout)
        self._cookie = self._cookie or found or None
        return found

    def _load_cookie_curlCffi(self) -> bool:  # noqa: N802 — yfinance's name
        return False

    def _save_cookie_curlCffi(self) -> bool:  # noqa: N802 — yfinance's name
        return False


class YahooClient:
    """`get` for market data; calls block, and are made from any thread.

    Args:
        session: sends.
        provider: the adapter's name, for errors.
    """

    def __init__(self, session: YahooSession, provider: str) -> None:
        self._session = session
        self._provider = provider
        # YfData is a singleton; called like this it is not, and cookie and crumb belong to this session.
        self._yahoo: YfData = type.__call__(_Yahoo, session=session)

    def get(self, url: str, params: Mapping[str, str], deadline: float) -> bytes:
        """The body of an answer with status 200.

        Args:
            url: on Yahoo's own host.
            params: query parameters without the crumb.
            deadline: monotonic seconds by which all requests that it takes end.

        Raises:
            ProviderError: whatever went wrong; AuthFailedError where a fresh crumb was refused too.
        """
        call = self._session.call
        call.deadline, call.crumb_refused = deadline, None
        try:
            response = self._yahoo.get(url, params=dict(params))
        except ProviderError:
            raise
        except CRUMB_ERRORS as error:
            raise UpstreamError(self._provider, f"no cookie or crumb ({type(error).__name__})") from None
        if response.status_code == 401:
            raise call.crumb_refused or AuthFailedError(self._provider, "HTTP 401, a fresh crumb was refused too")
        content: bytes = response.content
        return content

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _Body:
    """Collects a decompressed body up to a limit."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.too_large = False
        self._limit = limit

    def feed(self, chunk: bytes) -> int:
        self.data += chunk
        self.too_large = len(self.data) > self._limit
        return CURL_WRITEFUNC_ERROR if self.too_large else len(chunk)


def _query(url: str) -> str:
    query = urlsplit(url).query
    return f"?{query}" if query else ""


def _error_of_curl(provider: str, error: requests.RequestsError, body: _Body) -> ProviderError:
    """The error of a request that got no answer; curl's own message can hold the crumb, its code cannot."""
    code = error.code
    if body.too_large:
        return MalformedError(provider, f"more than {len(body.data) - 1} bytes, decompressed")
    match code:
        case CurlECode.OPERATION_TIMEDOUT:
            return ProviderTimeoutError(provider, "no complete answer in time")
        case CurlECode.BAD_CONTENT_ENCODING:
            return MalformedError(provider, "the body does not decompress")
        case CurlECode.COULDNT_CONNECT | CurlECode.COULDNT_RESOLVE_HOST | CurlECode.COULDNT_RESOLVE_PROXY:
            return UpstreamError(provider, f"cannot connect (curl {int(code)}); is the URL right and the host up?")
        case CurlECode.PEER_FAILED_VERIFICATION | CurlECode.SSL_CONNECT_ERROR | CurlECode.SSL_CACERT_BADFILE:
            return UpstreamError(provider, f"TLS failed (curl {int(code)}); is the certificate's authority trusted?")
        case _:
            return UpstreamError(provider, f"the connection was cut (curl {int(code)})")
