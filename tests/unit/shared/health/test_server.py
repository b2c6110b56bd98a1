"""The HTTP server for health, probes and metrics."""

import socket
import urllib.request
from collections.abc import Iterable
from typing import Any

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.health.server import HealthServer


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Respond with `hello`."""
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def get(port: int) -> bytes:
    """Return the body of a response."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return bytes(answer.read())


def test_server_with_several_addresses_listens_on_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name such as `localhost` may have an IPv4 and an IPv6 address, and the server listens only on the first."""
    first = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    second = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))
    # The test must not depend on whether the machine has IPv6.
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [first, second])
    server = HealthServer(app, "localhost", 0)
    server.start()
    monkeypatch.undo()
    assert get(server.port) == b"hello"
    server.stop()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_stopped_server_closes_connections_and_port() -> None:
    """After a stop the connections are closed, the thread has ended without an error, and the port is free again."""
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


def test_server_with_unknown_host_raises_config_error() -> None:
    """An address that cannot be resolved causes a configuration error that names the setting."""
    with pytest.raises(
        ConfigError, match=r"^FINANCEHUB_HTTP_HOST=nowhere\.invalid, .*: cannot listen \(.*\); set them"
    ):
        HealthServer(app, "nowhere.invalid", 0).start()
