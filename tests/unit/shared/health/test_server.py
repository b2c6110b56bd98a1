"""The HTTP server for health, probes and metrics."""

import contextlib
import socket
import urllib.error
import urllib.request
from http import HTTPStatus

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.health.http_messages import Request, Response
from financehub_shared.health.server import HealthServer


def respond(request: Request) -> Response:
    """Respond with `hello`."""
    return Response(HTTPStatus.OK, "text/plain", b"hello")


def get(port: int) -> bytes:
    """Return the body of a response."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        return bytes(answer.read())


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_stopped_server_closes_connections_and_port() -> None:
    """After a stop the connections are closed, the thread has ended without an error, and the port is free again."""
    server = HealthServer(respond, "127.0.0.1", 0)
    server.start()
    port = server.port
    with socket.create_connection(("127.0.0.1", port), timeout=60) as kept:
        kept.sendall(b"GET / HTTP/1.1\r\n")
        server.stop()
        with contextlib.suppress(ConnectionResetError):
            assert kept.recv(4096) == b""
    again = HealthServer(respond, "127.0.0.1", port)
    again.start()
    assert get(port) == b"hello"
    again.stop()


def test_server_with_an_error_of_the_application_answers_and_goes_on() -> None:
    """A client gets 500 without details, and the next one is served."""
    fails = True

    def failing(request: Request) -> Response:
        if not fails:
            return respond(request)
        raise ZeroDivisionError("hunter2")

    server = HealthServer(failing, "127.0.0.1", 0)
    server.start()
    for _ in range(3):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(server.port)
        assert refused.value.code == 500
        assert b"hunter2" not in refused.value.read()
    fails = False
    assert get(server.port) == b"hello"
    server.stop()


def test_server_with_unknown_host_raises_config_error() -> None:
    """An address that cannot be resolved causes a configuration error that names the setting."""
    with pytest.raises(
        ConfigError, match=r"^FINANCEHUB_HTTP_HOST=nowhere\.invalid, .*: cannot listen \(.*\); set them"
    ):
        HealthServer(respond, "nowhere.invalid", 0).start()
