"""Ports that tests give to their servers."""

import socket

import pytest

from support.redis_server import free_port, free_ports, is_free


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_port_in_use_on_one_loopback_address_is_not_free(address: str) -> None:
    """Our processes listen on both addresses, and refuse a port that is used on one of them."""
    port = free_port()
    assert is_free(port)
    try:
        used = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with used:
        assert not is_free(port)


def test_free_ports_are_given_once() -> None:
    """Consecutive ports overlap neither each other nor single ports."""
    blocks = [range(first := free_ports(4), first + 4) for _ in range(5)]
    ports = [port for block in blocks for port in block] + [free_port() for _ in range(20)]
    assert len({*ports}) == len(ports)
