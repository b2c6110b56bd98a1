"""Reads ports from the environment and checks them before any process starts."""

import errno
import socket
from collections.abc import Mapping


class PortError(Exception):
    """A port cannot be used. The message gives the reason and the variable that changes it."""


def port_of(environment: Mapping[str, str], variable: str, default: int, count: int = 1) -> int:
    """Return the first of `count` consecutive ports from an environment variable.

    Args:
        environment: The environment variables.
        variable: The name of the variable.
        default: The port if the variable is not set.
        count: The number of consecutive ports that are needed.

    Raises:
        PortError: The value is not a valid port.
    """
    value = environment.get(variable, str(default))
    last = 65_536 - count
    if not value.isdecimal() or not 0 < int(value) <= last:
        raise PortError(f"{variable}={value!r} is not a valid port; use a number from 1 to {last}")
    return int(value)


def require_free(port: int, purpose: str, variable: str) -> None:
    """Check that nothing listens on a port of this machine.

    Args:
        port: The port to check.
        purpose: The purpose of the port, for the message.
        variable: The variable that changes the port, for the message.

    Raises:
        PortError: The port is in use.
    """
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno != errno.EADDRINUSE:
                continue  # this machine has no IPv6
            raise PortError(
                f"port {port} ({purpose}) is in use; stop the process that uses it, or set {variable} to another port"
            ) from None
