"""Finds the address of a client, also behind proxies."""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from financehub_web.access.users import Network, is_in

#: One customer of a provider usually has a whole network of this size of IPv6.
_IPV6_PREFIX = 64


def client_of(scope: Scope, proxies: Sequence[Network]) -> str:
    """Return the address of the client of a request, or its network with IPv6.

    A proxy appends the address from which it got the request to `X-Forwarded-For`. The client is the last address that
    is not a trusted proxy, because anybody can write what comes before it.

    Args:
        scope: The ASGI scope of the request.
        proxies: The addresses of trusted proxies.
    """
    peer = scope.get("client")
    address = str(peer[0]) if peer else ""
    if not is_in(address, proxies):
        return _network(address)
    forwarded = ",".join(Headers(scope=scope).getlist("X-Forwarded-For"))
    for hop in reversed([each.strip() for each in forwarded.split(",")]):
        if not _is_address(hop):
            break
        address = hop
        if not is_in(hop, proxies):
            break
    return _network(address)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _network(address: str) -> str:
    """Return the network of an IPv6 address, and any other address as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _IPV6_PREFIX), strict=False))
