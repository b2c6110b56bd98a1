"""Opens the sockets on which the simulator listens, for IPv4 and IPv6.

The simulator imports no code of the processes that it tests, so this is a copy of `financehub_shared.health.listeners`
without its settings for hostile clients.
"""

import errno
import ipaddress
import socket
from collections.abc import Sequence

#: The address that stands for all addresses of both families.
ALL_ADDRESSES = "::"
#: The name of the loopback addresses.
LOCALHOST = "localhost"
#: The family is not compiled in or is turned off (`ipv6.disable=1`, `net.ipv6.conf.all.disable_ipv6=1`).
_NO_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
_ATTEMPTS_FOR_ANY_PORT = 10


def listen(host: str, port: int) -> list[socket.socket]:
    """Return non-blocking listening sockets, all on the same port.

    `::` is all addresses: one socket that accepts IPv4 too, or an IPv4 socket if the machine has no IPv6. `localhost`
    is both loopback addresses. Any other name is served on each of its addresses that the machine has. An IPv4 address
    that is written as IPv6 (`::ffff:127.0.0.1`) is served as IPv4.

    Args:
        host: Address or name.
        port: The port; 0 takes any port that is free on all addresses.

    Raises:
        OSError: The name is unknown, no address can be used, or the port is in use on one of them.
    """
    for _ in range(_ATTEMPTS_FOR_ANY_PORT):
        try:
            return _listen(host, port)
        except OSError as error:
            if port != 0 or error.errno != errno.EADDRINUSE:
                raise
    return _listen(host, port)


def _listen(host: str, port: int) -> list[socket.socket]:
    addresses = _addresses(host)
    all_addresses = addresses[0][1][0] == ALL_ADDRESSES
    sockets: list[socket.socket] = []
    problem: OSError | None = None
    try:
        for family, address in addresses:
            try:
                listener = _open(family, address, sockets[0].getsockname()[1] if sockets else port)
            except OSError as error:
                if error.errno not in _NO_FAMILY:
                    raise
                problem = error
            else:
                sockets.append(listener)
            if all_addresses and sockets:
                break
        if not sockets:
            raise problem or OSError(errno.EADDRNOTAVAIL, "the name has no address")
    except OSError:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def _addresses(host: str) -> Sequence[tuple[int, tuple[str, int]]]:
    """Return family and (address, scope id) of each address, in the resolver's order."""
    host = _plain(host)
    if host == ALL_ADDRESSES:
        # the second one is for machines without IPv6
        return [(socket.AF_INET6, (ALL_ADDRESSES, 0)), (socket.AF_INET, ("0.0.0.0", 0))]  # noqa: S104 — as configured
    if host == LOCALHOST:
        # always both (RFC 6761, section 6.3), although many hosts files name only one of them
        return [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0))]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(errno.EINVAL, "the name is not one that a host can have") from error
    # dictionary keys, because a hosts file may name an address twice
    return list(
        {
            (int(family), (str(address[0]), int(address[3]) if len(address) > 3 else 0)): None
            for family, _, _, _, address in found
        }
    )


def _plain(host: str) -> str:
    """Return an address in its shortest form, without the brackets of a URL, and a name in lower case."""
    host = host.removeprefix("[").removesuffix("]").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.removesuffix(".")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _open(family: int, address: tuple[str, int], port: int) -> socket.socket:
    host, scope = address
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != ALL_ADDRESSES))
            listener.bind((host, port, 0, scope))
        else:
            listener.bind((host, port))
        listener.listen()
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def url_host(host: str) -> str:
    """Return a host as a URL contains it: an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host
