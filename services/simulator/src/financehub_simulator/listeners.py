"""Opens the sockets on which the simulator listens, for IPv4 and IPv6.

The simulator imports no code of the processes that it tests, and needs less than `financehub_shared.health.listeners`.
"""

import errno
import socket

#: The machine does not have the family of an address.
_NO_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}


def listen(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets, all on the same port.

    Args:
        host: `::` for all addresses of both families, `localhost` for both loopback addresses, or another address.
        port: The port; 0 takes any free port.

    Raises:
        OSError: The machine does not have the address, or the port is in use.
    """
    if host == "::":
        return [_open_if_present("::", port) or _open("0.0.0.0", port)]  # noqa: S104 — as configured
    if host != "localhost":
        return [_open(host, port)]
    ipv4 = _open_if_present("127.0.0.1", port)
    if ipv4 is None:
        return [_open("::1", port)]
    try:
        ipv6 = _open_if_present("::1", ipv4.getsockname()[1])
    except OSError:
        ipv4.close()
        raise
    return [ipv4] if ipv6 is None else [ipv4, ipv6]


def _open_if_present(address: str, port: int) -> socket.socket | None:
    try:
        return _open(address, port)
    except OSError as error:
        if error.errno in _NO_FAMILY:
            return None
        raise


def url_host(host: str) -> str:
    """Return a host as a URL contains it: an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def _open(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, dualstack_ipv6=address == "::")
