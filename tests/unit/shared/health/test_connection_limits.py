"""The health server keeps a bounded number of connections, and closes the oldest ones for new clients."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future
from http import HTTPStatus

import pytest

from financehub_shared.health import connection, connection_loop
from financehub_shared.health.app import Pending
from financehub_shared.health.http_messages import Request, Response
from financehub_shared.health.server import HealthServer
from support.redis_server import PATIENT_SECONDS
from support.waiting import eventually

LIMIT = 5
GET = b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that allows few connections. It answers `/livez`, and any other path never."""
    monkeypatch.setattr(connection_loop, "MAX_IDLE", LIMIT)
    monkeypatch.setattr(connection_loop, "MAX_ASKING", LIMIT)
    hello = Response(HTTPStatus.OK, "text/plain", b"hello")

    def respond(request: Request) -> Response | Pending:
        return hello if request.path == "/livez" else Pending(Future(), lambda: hello)

    server = HealthServer(respond, "127.0.0.1", 0)
    server.start()
    yield server.port
    server.stop()


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed a connection without a response."""
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        # a probe is a connection without a request until it is answered, and takes one of the places
        pytest.param(b"", LIMIT - 1, id="silent"),
        pytest.param(b"GET /li", LIMIT - 1, id="half a request"),
        pytest.param(GET % b"/report", LIMIT, id="waiting"),
    ],
)
def test_server_with_too_many_connections_closes_the_oldest(port: int, sent: bytes, kept: int) -> None:
    """Connections with and without a request are limited. The newest ones stay, and a probe is answered."""
    clients = []
    for _ in range(LIMIT + 3):
        clients.append(socket.create_connection(("127.0.0.1", port), timeout=PATIENT_SECONDS))
        clients[-1].sendall(sent)
        probe(port)
    eventually(lambda: [client for client in clients if not is_closed(client)] == clients[-kept:], "the newest")
    for client in clients:
        client.close()


@pytest.mark.parametrize("sent", [b"", b"GET /li", GET[:-2] % b"/livez"], ids=["nothing", "half a line", "half a head"])
def test_client_that_sends_no_whole_request_in_time_is_disconnected(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """The time counts from the beginning of the connection, so further bytes do not extend it."""
    monkeypatch.setattr(connection, "READ_SECONDS", 0.1)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENT_SECONDS) as client:
        client.sendall(sent)
        eventually(lambda: is_closed(client), "the server closes the connection")


def test_client_of_a_response_that_is_not_made_in_time_gets_the_answer_for_it(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client does not wait forever for a report, whatever its thread waits for."""
    monkeypatch.setattr(connection, "WAIT_SECONDS", 0.1)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENT_SECONDS) as client:
        client.sendall(GET % b"/report")
        assert client.recv(4_096).startswith(b"HTTP/1.1 200 OK")


def probe(port: int) -> None:
    """Assert that liveness is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENT_SECONDS) as client:
        client.sendall(GET % b"/livez")
        assert client.recv(4_096).startswith(b"HTTP/1.1 200 OK")
