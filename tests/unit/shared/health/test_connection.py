"""One connection of the health server, without its loop: the test passes the time."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from http import HTTPStatus

import pytest
from structlog.testing import capture_logs

from financehub_shared.health.app import Pending, json_response
from financehub_shared.health.connection import (
    DISCARD_SECONDS,
    READ_SECONDS,
    SEND_SECONDS,
    WAIT_SECONDS,
    Connection,
    State,
)
from financehub_shared.health.http_messages import JSON, Request, Response

GET = b"GET /livez HTTP/1.1\r\nHost: here\r\n\r\n"
OK = json_response(HTTPStatus.OK, {"ok": True})
Connect = Callable[..., tuple[Connection, socket.socket]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that connects a client at the time 0. It takes the function that responds."""
    sockets: list[socket.socket] = []

    def build(
        respond: Callable[[Request], Response | Pending] = lambda _: OK,
    ) -> tuple[Connection, socket.socket]:
        ends = socket.socketpair()
        sockets.extend(ends)
        ends[1].settimeout(5)
        return Connection(ends[0], respond, lambda connection, response: connection.answer(response, 0.0), 0.0), ends[1]

    yield build
    for each in sockets:
        each.close()


def test_response_that_is_late_is_replaced(connect: Connect) -> None:
    """A client that waits for Redis gets an answer at the deadline, and the late result has no effect."""
    future: Future[Response] = Future()
    late = json_response(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "late"})
    connection, client = connect(lambda _: Pending(future, lambda: late))
    client.sendall(GET)
    connection.proceed(1.0)
    assert (connection.state, connection.deadline) == (State.WAITING, 1.0 + WAIT_SECONDS)
    connection.expire(1.0 + WAIT_SECONDS)
    future.set_result(OK)
    assert connection.is_closed
    connection.peer.close()
    received = client.recv(4_096)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert json.loads(received.partition(b"\r\n\r\n")[2]) == {"error": "late"}
    assert client.recv(4_096) == b""


def test_response_that_is_made_in_time_is_sent(connect: Connect) -> None:
    """The result of another thread reaches the client, whose connection is then closed."""
    future: Future[Response] = Future()
    connection, client = connect(lambda _: Pending(future, lambda: OK))
    client.sendall(GET)
    connection.proceed(0.0)
    future.set_result(OK)
    assert connection.is_closed
    assert client.recv(4_096).startswith(b"HTTP/1.1 200 ")


def test_request_that_trickles_does_not_move_its_deadline(connect: Connect) -> None:
    """However many bytes arrive, the request must be complete at the deadline."""
    connection, client = connect()
    for second, byte in enumerate(GET[:4]):
        client.sendall(bytes([byte]))
        connection.proceed(float(second))
        assert (connection.state, connection.deadline) == (State.READING, READ_SECONDS)
    connection.expire(READ_SECONDS)
    assert connection.is_closed


def test_body_that_follows_the_response_is_received_and_discarded(connect: Connect) -> None:
    """The client can send its body and read the response. After a time, or a size, the connection is closed anyway."""
    connection, client = connect()
    client.sendall(b"POST /livez HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n")
    connection.proceed(0.0)
    assert (connection.state, connection.deadline) == (State.DISCARDING, DISCARD_SECONDS)
    client.sendall(b"x" * 10_000)
    connection.proceed(0.1)
    assert not connection.is_closed
    assert client.recv(4_096).startswith(b"HTTP/1.1 200 ")
    assert client.recv(4_096) == b"", "the end of the response"
    for _ in range(200):
        client.sendall(b"x" * 10_000)
        connection.proceed(0.2)
        if connection.is_closed:
            break
    assert connection.is_closed, "at most 1 MB is received"


def test_client_that_does_not_read_is_closed_at_the_deadline(connect: Connect) -> None:
    """A large response waits for room, and at most for the time to send."""
    connection, client = connect(lambda _: Response(HTTPStatus.OK, JSON, b"x" * 10_000_000))
    client.sendall(GET)
    connection.proceed(0.0)
    for second in range(3):
        assert (connection.state, connection.deadline) == (State.SENDING, SEND_SECONDS)
        connection.proceed(float(second))
    connection.expire(SEND_SECONDS)
    assert connection.is_closed


def test_head_request_has_no_body(connect: Connect) -> None:
    """The response to HEAD has the headers of the response to GET (RFC 9110, section 9.3.2)."""
    connection, client = connect()
    client.sendall(GET.replace(b"GET", b"HEAD"))
    connection.proceed(0.0)
    received = client.recv(4_096)
    assert f"Content-Length: {len(OK.body)}\r\n".encode() in received
    assert received.endswith(b"\r\n\r\n")


def test_error_of_the_application_is_an_answer(connect: Connect) -> None:
    """A probe gets an answer whatever happens in the application, and the log has the error."""

    def fail(_: Request) -> Response:
        raise OverflowError("cannot convert float infinity to integer")

    connection, client = connect(fail)
    client.sendall(GET)
    with capture_logs() as logs:
        connection.proceed(0.0)
    assert client.recv(4_096).startswith(b"HTTP/1.1 500 ")
    assert [entry["event"] for entry in logs] == ["health_response_failed"]
