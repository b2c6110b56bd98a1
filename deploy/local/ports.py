"""Ports from the environment, checked before anything starts."""

import socket
from collections.abc import Mapping


class PortError(Exception):
    """A port that cannot be used; the message says why and which variable changes it."""


def port_of(environment: Mapping[str, str], variable: str, default: int, count: int = 1) -> int:
    """The first of `count` consecutive ports that a variable names.

    Args:
        environment: where the variable is looked up.
        variable: its name.
        default: the port without it.
        count: how many ports are needed.

    Raises:
        PortError: the value is not a port.
    """
    value = environment.get(variable, str(default))
    last = 65_536 - count
    if not value.isdigit() or not 0 < int(value) <= last:
        raise PortError(f"{variable}={value!r}: a port is a number from 1 to {last}")
    return int(value)


def require_free(port: int, purpose: str, variable: str) -> None:
    """Check that nothing listens on a port of this machine.

    Args:
        port: to check.
        purpose: what it is for, in the message.
        variable: the one that changes it, in the message.

    Raises:
        PortError: the port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortError(
                f"port {port} ({purpose}) is taken; stop what listens there or set {variable} to another port"
            ) from None
