"""HTTP session for yfinance with deadlines, a size limit and error translation.

This module is slow to import, so the first request imports it. yfinance holds the cookie and the crumb and knows how to
renew them. The session sends all of yfinance's requests and does everything else. ADR 0019 has the reasons.
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
    CertificateError,
    MalformedError,
    ProviderError,
    ProviderTimeoutError,
    ProxyFailedError,
    RateLimitedError,
    UnreachableError,
    UpstreamError,
)
from financehub_shared.providers.transport.connection_errors import proxy_refused
from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.transport.peer_certificate import CertificateInspector
from financehub_shared.providers.transport.status import retry_after
from financehub_shared.providers.yahoo.curl_errors import NO_CONNECTION, error_of_curl
from financehub_shared.providers.yahoo.parse import error_of_answer

# yfinance enables its DeprecationWarnings on import, but they are meant for its authors.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")

#: Paths of market data. yfinance handles the responses of all other paths (cookie, consent, crumb) itself.
DATA_PATHS = ("/v7/finance/", "/v8/finance/")
CRUMB_PATH = "/v1/test/getcrumb"
#: Errors of yfinance's cookie and consent code, which parses pages without checking them.
CRUMB_ERRORS = (YFException, requests.RequestsError, KeyError, TypeError, AttributeError, ValueError)


class _CallState(threading.local):
    """State that the requests of one `YahooClient.get` share in its thread."""

    deadline: float = 0.0
    crumb_refused: RateLimitedError | None = None


class YahooSession(requests.Session[requests.Response]):
    """A session with the TLS fingerprint of Chrome, a deadline and a size limit.

    Args:
        provider: Name of the provider, for errors.
        base_url: Replaces the scheme and host of every request. If it is None, Yahoo itself is called.
        timeouts: Seconds to connect, and seconds for the whole request.
        max_bytes: Largest decompressed body.
        clock: Clock for deadlines.
        egress: The proxies and the certificate authorities.
    """

    def __init__(
        self,
        provider: str,
        base_url: str | None,
        timeouts: tuple[float, float],
        max_bytes: int,
        clock: Clock,
        egress: Egress,
    ) -> None:
        # Without `trust_env`, curl does not read the variables of proxies.
        super().__init__(impersonate="chrome", trust_env=False)
        self.call = _CallState()
        self._provider = provider
        self._base = base_url.rstrip("/") if base_url else None
        self._timeouts = timeouts
        self._max_bytes = max_bytes
        self._clock = clock
        self._egress = egress
        self._certificates = CertificateInspector(egress, clock)

    def request(self, method: Any, url: str, **options: Any) -> requests.Response:  # type: ignore[override] # as yfinance calls it
        """Send one yfinance request.

        Raises:
            ProviderError: A request for market data failed, or any request because of the proxy or a certificate.
                Status 401 is returned instead, so that yfinance renews the crumb.
            RequestsError: A request for a cookie, consent or crumb failed otherwise. yfinance expects this error.
        """
        path = urlsplit(url).path
        body = _BodyCollector(self._max_bytes)
        options["timeout"] = self._remaining()
        options["content_callback"] = body.feed
        target = url if self._base is None else self._base + (path or "/") + _query(url)
        is_data = path.startswith(DATA_PATHS)
        # With a file here, curl_cffi does not read the variables of certificates. It takes the file for the proxy too.
        options["verify"] = self._egress.authorities.file
        proxy = self._egress.proxy_for(target)
        if proxy is not None:
            options |= {"proxy": proxy.url, "proxy_auth": proxy.auth}
        try:
            response: requests.Response = super().request(method, target, **options)
        except requests.RequestsError as error:
            failure = self._failure(error, target, body)
            if is_data or isinstance(failure, ProxyFailedError | CertificateError):
                raise failure from None
            raise
        if response.status_code == 407 and proxy is not None:
            raise proxy_refused(self._provider, proxy, target, 407)
        response.content = bytes(body.data)
        headers = {name.lower(): value or "" for name, value in response.headers.items()}
        if path == CRUMB_PATH and response.status_code == 429:
            wait = retry_after(headers, self._clock.now())
            self.call.crumb_refused = RateLimitedError(self._provider, "HTTP 429 for the crumb", wait)
        if is_data and response.status_code >= 400 and response.status_code != 401:
            # yfinance would try again with another cookie, which makes five requests to an upstream that refused.
            raise error_of_answer(self._provider, response.status_code, headers, response.content, self._clock.now())
        return response

    def _failure(self, error: requests.RequestsError, url: str, body: "_BodyCollector") -> ProviderError:
        """Return the error for a request that received no response."""
        if body.too_large:
            return MalformedError(self._provider, f"more than {len(body.data) - 1} bytes after decompression")
        problem = None
        seconds = min(self._timeouts[0], self.call.deadline - self._clock.monotonic())
        if error.code == CurlECode.PEER_FAILED_VERIFICATION and seconds > 0:
            problem = self._certificates.find_problem(url, seconds)
        return error_of_curl(self._provider, error, url, self._egress.proxy_for(url), problem)

    def _remaining(self) -> tuple[float, float]:
        """Return the seconds to connect and the seconds after that, within the request timeout and the deadline."""
        left = min(self._timeouts[1], self.call.deadline - self._clock.monotonic())
        if left <= 0:
            raise ProviderTimeoutError(self._provider, "the deadline passed before the request")
        connect = min(self._timeouts[0], left / 2)
        return connect, left - connect


class _MemoryCookieData(YfData):  # type: ignore[misc] # yfinance has no types
    """YfData that keeps its cookie in memory. The original stores it as a pickle in SQLite on disk."""

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
    """Fetches market data. Calls block and may come from any thread.

    Args:
        session: Sends the requests.
        provider: Name of the provider, for errors.
    """

    def __init__(self, session: YahooSession, provider: str) -> None:
        self._session = session
        self._provider = provider
        # YfData is a singleton. This call creates a separate instance, so that cookie and crumb belong to this session.
        self._yahoo: YfData = type.__call__(_MemoryCookieData, session=session)

    def get(self, url: str, params: Mapping[str, str], deadline: float) -> bytes:
        """Fetch a URL and return the body of a response with status 200.

        Args:
            url: URL on Yahoo's own host.
            params: Query parameters without the crumb.
            deadline: Monotonic time in seconds by which all requests must end.

        Raises:
            ProviderError: The fetch failed. It is an AuthFailedError if a fresh crumb was refused too.
        """
        call = self._session.call
        call.deadline, call.crumb_refused = deadline, None
        try:
            response = self._yahoo.get(url, params=dict(params))
        except ProviderError:
            raise
        except CRUMB_ERRORS as error:
            kind = UnreachableError if getattr(error, "code", None) in NO_CONNECTION else UpstreamError
            raise kind(self._provider, f"Yahoo gave no cookie or crumb ({type(error).__name__})") from None
        if response.status_code == 401:
            raise call.crumb_refused or AuthFailedError(self._provider, "HTTP 401; a fresh crumb was refused too")
        content: bytes = response.content
        return content

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _BodyCollector:
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
