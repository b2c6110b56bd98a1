"""Translates the errors of curl into provider errors. Pure."""

import re

from curl_cffi import CurlECode, requests

from financehub_shared.core.errors import (
    MalformedError,
    ProviderError,
    ProviderTimeoutError,
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

#: Codes of curl for an upstream that was not reached.
NO_CONNECTION = (CurlECode.COULDNT_CONNECT, CurlECode.COULDNT_RESOLVE_HOST, CurlECode.COULDNT_RESOLVE_PROXY)

#: The status in curl's message for a proxy that refused. curl has no code for it.
_PROXY_STATUS = re.compile(r"CONNECT tunnel failed, response (\d{3})")


def error_of_curl(
    provider: str,
    error: requests.RequestsError,
    url: str,
    proxy: Proxy | None = None,
    problem: CertificateProblem | None = None,
) -> ProviderError:
    """Return the error for a request that received no response.

    curl's message may contain the crumb, so only its code, and the status of a proxy, are used.

    Args:
        provider: Name of the provider.
        error: The exception of curl_cffi.
        url: Address that was called.
        proxy: Proxy of the request, if there is one.
        problem: What is wrong with the certificate of the host, if it is known.
    """
    code = error.code
    found = None if proxy is None else _error_of_proxy(provider, error, url, proxy)
    if found is not None:
        return found
    match code:
        case CurlECode.OPERATION_TIMEDOUT:
            found = ProviderTimeoutError(provider, "no complete answer in time")
        case CurlECode.BAD_CONTENT_ENCODING:
            found = MalformedError(provider, "the body cannot be decompressed")
        case CurlECode.COULDNT_RESOLVE_HOST:
            detail = f"the name {host_of(url)} does not resolve; check the DNS and the base URL, or set HTTPS_PROXY"
            found = UnreachableError(provider, detail)
        case CurlECode.COULDNT_CONNECT:
            detail = f"cannot connect to {host_of(url)} (curl {int(code)}); check the URL and whether the host is up"
            found = UnreachableError(provider, detail)
        case CurlECode.PEER_FAILED_VERIFICATION | CurlECode.SSL_CONNECT_ERROR | CurlECode.SSL_CACERT_BADFILE:
            found = certificate_refused(provider, url, proxy, problem)
        case _:
            found = UpstreamError(provider, f"the connection broke (curl {int(code)})")
    return found


def _error_of_proxy(provider: str, error: requests.RequestsError, url: str, proxy: Proxy) -> ProviderError | None:
    """Return the error for a proxy that does not connect. None if another error occurred."""
    status = _PROXY_STATUS.search(str(error))
    if status is not None:
        return proxy_refused(provider, proxy, url, int(status[1]))
    match error.code:
        case CurlECode.OPERATION_TIMEDOUT:
            return proxy_silent(provider, proxy, url)
        case CurlECode.COULDNT_RESOLVE_PROXY:
            return proxy_not_reached(provider, proxy, is_resolved=False)
        case CurlECode.COULDNT_CONNECT | CurlECode.PROXY:
            return proxy_not_reached(provider, proxy, is_resolved=True)
        case _:
            return None
