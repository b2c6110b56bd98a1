"""Finds the address of a client, also behind proxies."""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from financehub_web.http.networks import Network, is_in

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
    for hop in map(_without_port, reversed(forwarded.split(","))):
        if not _is_address(hop):
            break
        address = hop
        if not is_in(hop, proxies):
            break
    return _network(address)


def _without_port(hop: str) -> str:
    """Return the address of an entry. Some proxies append a port, as in `192.0.2.1:443` and `[2001:db8::1]:443`."""
    entry = hop.strip()
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


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
