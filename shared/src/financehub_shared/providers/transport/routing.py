"""The transport of httpx that sends each request directly or through the proxy that the rules choose."""

import httpx

from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.transport.proxies import Proxy

_LAST_PORT = 65_535


class RoutedTransport(httpx.AsyncBaseTransport):
    """Has a connection pool for direct requests and one for each proxy.

    Args:
        egress: Chooses the proxy of each request, and contains the authorities that are trusted.
        limits: Limits of each connection pool.
    """

    def __init__(self, egress: Egress, limits: httpx.Limits) -> None:
        self._egress = egress
        self._limits = limits
        self._transports: dict[Proxy | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            httpx.InvalidURL: The URL contains a port that does not exist, to which another server may have redirected.
                httpx does not check it, and the errors of the code that uses it are none of httpx's.
        """
        if request.url.port is not None and request.url.port > _LAST_PORT:
            raise httpx.InvalidURL("the port does not exist")
        proxy = self._egress.proxy_for(str(request.url))
        if proxy not in self._transports:
            self._transports[proxy] = self._build(proxy)
        return await self._transports[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        while self._transports:
            await self._transports.popitem()[1].aclose()

    def _build(self, proxy: Proxy | None) -> httpx.AsyncHTTPTransport:
        context = self._egress.authorities.context
        through = None
        if proxy is not None:
            own = context if proxy.scheme == "https" else None
            through = httpx.Proxy(proxy.url, auth=proxy.auth, ssl_context=own)
        return httpx.AsyncHTTPTransport(verify=context, limits=self._limits, proxy=through, trust_env=False)
