"""The HTTP server: one address, and an end without a word."""

import socket
import urllib.request
from collections.abc import Iterable
from typing import Any

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.health.server import HealthServer


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Say hello."""
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def get(port: int) -> bytes:
    """One request."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return bytes(answer.read())


def test_a_name_with_several_addresses_is_served_on_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is two addresses where IPv6 is too; the server has one port all the same."""
    first = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    second = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))
    # whether a machine has IPv6 is not ours to say
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [first, second])
    server = HealthServer(app, "localhost", 0)
    server.start()
    monkeypatch.undo()
    assert get(server.port) == b"hello"
    server.stop()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_ends_with_its_connections() -> None:
    """Stopped, it has closed what it served, its thread has ended without an error, and the port is free again."""
    server = HealthServer(app, "127.0.0.1", 0)
    server.start()
    port = server.port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as kept:
        kept.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert kept.recv(4096).startswith(b"HTTP/1.1 200")
        server.stop()
        while kept.recv(4096):
            pass
    again = HealthServer(app, "127.0.0.1", port)
    again.start()
    assert get(port) == b"hello"
    again.stop()


def test_an_unknown_host_says_so() -> None:
    """An address that cannot be resolved is an error of the configuration, which names the setting."""
    with pytest.raises(
        ConfigError, match=r"^FINANCEHUB_HTTP_HOST=nowhere\.invalid, .* cannot be listened on \(.*\); set them"
    ):
        HealthServer(app, "nowhere.invalid", 0).start()
