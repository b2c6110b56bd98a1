"""Listening on IPv4 and IPv6."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from financehub_shared.core.settings import Settings
from financehub_shared.health.listeners import listen


def _has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def listening(host: str, port: int = 0) -> Iterator[int]:
    """Listen, and return the port."""
    listeners = listen(host, port)
    try:
        yield listeners[0].getsockname()[1]
    finally:
        for listener in listeners:
            listener.close()


def accepts(address: str, port: int) -> bool:
    """Whether something listens on an address of this machine."""
    with suppress(OSError), socket.create_connection((address, port), timeout=30):
        return True
    return False


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "ipv4", "ipv6"),
    [
        ("::", True, True),
        ("::0", True, True),
        ("0.0.0.0", True, False),  # noqa: S104
        ("127.0.0.1", True, False),
        ("::ffff:127.0.0.1", True, False),
        ("::ffff:0.0.0.0", True, False),
        ("::1", False, True),
        ("[::1]", False, True),
        ("LocalHost.", True, True),
    ],
)
def test_listen_serves_the_families_of_the_address(host: str, ipv4: bool, ipv6: bool) -> None:
    """`::` is both families. Every other address is served as it is."""
    with listening(host) as port:
        assert (accepts("127.0.0.1", port), accepts("::1", port)) == (ipv4, ipv6)


@needs_ipv6
def test_processes_listen_on_both_families_by_default() -> None:
    """The kubelet reaches a pod on either of its addresses without a setting (F11)."""
    with listening(Settings().http_host) as port:
        assert accepts("127.0.0.1", port)
        assert accepts("::1", port)


@needs_ipv6
def test_listen_on_a_name_serves_each_of_its_addresses_on_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is served on both loopback addresses, whatever the hosts file of this machine says."""
    _resolve_to(monkeypatch, (socket.AF_INET6, ("::1", 0, 0, 0)), (socket.AF_INET, ("127.0.0.1", 0)))
    with listening("localhost") as port:
        monkeypatch.undo()
        assert accepts("127.0.0.1", port)
        assert accepts("::1", port)


@pytest.mark.parametrize("host", ["::", "localhost"])
@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_listen_without_ipv6_serves_ipv4(monkeypatch: pytest.MonkeyPatch, host: str, number: int) -> None:
    """A kernel without IPv6 refuses the socket (`ipv6.disable=1`) or the address (`disable_ipv6=1`)."""

    class WithoutIpv6(socket.socket):
        def __init__(self, family: int = -1, *arguments: int, **options: int) -> None:
            if family == socket.AF_INET6 and number == errno.EAFNOSUPPORT:
                raise OSError(number, "not supported")
            super().__init__(family, *arguments, **options)

        def bind(self, address: object) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(number, "not available")
            super().bind(address)  # type: ignore[arg-type]

    _resolve_to(monkeypatch, (socket.AF_INET6, ("::1", 0, 0, 0)), (socket.AF_INET, ("127.0.0.1", 0)))
    monkeypatch.setattr(socket, "socket", WithoutIpv6)
    listeners = listen(host, 0)
    monkeypatch.undo()
    assert [listener.family for listener in listeners] == [socket.AF_INET]
    assert accepts("127.0.0.1", listeners[0].getsockname()[1])
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("host", ["::", "127.0.0.1"])
def test_listen_on_a_used_port_raises(host: str) -> None:
    """A port that another process uses on one of the addresses is an error, not a server on the other ones."""
    with socket.create_server(("127.0.0.1", 0)) as used, pytest.raises(OSError, match="in use"):
        listen(host, used.getsockname()[1])


@pytest.mark.parametrize(
    "host", ["a..b", "x" * 64, f"{'x' * 64}.test", ".", "", " ", "a b", "[", "::1%none", "1.2.3.4.5"]
)
def test_listen_on_what_is_not_a_host_raises(host: str) -> None:
    """A name that no host can have is an `OSError`, as for a name that is unknown, whatever the resolver raises."""
    with pytest.raises(OSError, match=r"."):
        listen(host, 0)


def test_listen_on_a_foreign_address_raises() -> None:
    """An address of another machine is an error."""
    with pytest.raises(OSError, match=r"Cannot assign|not available"):
        listen("203.0.113.9", 0)


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[int, tuple[object, ...]]) -> None:
    found = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
