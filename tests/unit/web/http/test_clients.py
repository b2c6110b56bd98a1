"""Tests of the address of a client."""

import ipaddress

import pytest

from financehub_web.http.clients import client_of

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.9", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7:50000", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:50000, 10.0.0.9:443", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::5]:50000", "2001:db8::/64"),
        ("10.0.0.1", "[2001:db8::5]", "2001:db8::/64"),
        ("10.0.0.1", "1.1.1.1, :443", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("2001:db8::1:2:3:4", "", "2001:db8::/64"),
        ("fd00::1", "2001:db8::5", "2001:db8::/64"),
        ("", "", ""),
    ],
)
def test_client_is_the_last_address_that_is_not_a_trusted_proxy(peer: str, forwarded: str, client: str) -> None:
    """Only a trusted proxy may name another address, and the client cannot choose what it names."""
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert client_of({"type": "http", "client": (peer, 1), "headers": headers}, PROXIES) == client
