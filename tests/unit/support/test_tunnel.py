"""The tunnel between a client and a server that echoes."""

import select
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from support.tunnel import Tunnel

_SECONDS = 10


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while chunk := self.request.recv(1024):
            self.server.received.append(chunk)  # type: ignore[attr-defined]  # of the server below
            self.request.sendall(chunk)
        self.server.ended.set()  # type: ignore[attr-defined]  # likewise


class EchoServer(socketserver.ThreadingTCPServer):
    """Sends back what it gets and remembers it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.received: list[bytes] = []
        self.ended = threading.Event()


@pytest.fixture
def server() -> Iterator[EchoServer]:
    """A running echo server."""
    with EchoServer() as echo:
        threading.Thread(target=echo.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield echo
        echo.shutdown()


@pytest.fixture
def tunnel(server: EchoServer) -> Iterator[Tunnel]:
    """A tunnel to it."""
    with Tunnel(f"http://127.0.0.1:{server.server_address[1]}") as way:
        yield way


def connect(tunnel: Tunnel) -> socket.socket:
    """A client's connection."""
    return socket.create_connection(("127.0.0.1", int(tunnel.url.rpartition(":")[2])), _SECONDS)


def echo(client: socket.socket, word: bytes) -> bytes:
    """What comes back."""
    client.sendall(word)
    return client.recv(1024)


def nothing_came(client: socket.socket) -> bool:
    """Neither bytes nor an end of the connection, for a while in which they would have come."""
    return not select.select([client], [], [], 0.2)[0]


def test_freeze_is_silent_and_loses_nothing(server: EchoServer, tunnel: Tunnel) -> None:
    """In a freeze nothing arrives and nothing ends, while new connections work; after it, what was sent arrives."""
    with connect(tunnel) as frozen:
        assert echo(frozen, b"before") == b"before"
        tunnel.freeze()
        frozen.sendall(b"held")
        with connect(tunnel) as fresh:
            assert echo(fresh, b"new") == b"new"
        assert nothing_came(frozen)
        assert server.received == [b"before", b"new"]
        tunnel.thaw()
        assert frozen.recv(1024) == b"held"


def test_freeze_holds_new_connections_too_if_told(server: EchoServer, tunnel: Tunnel) -> None:
    """A connection made in a freeze of new ones is taken, and silent until the thaw."""
    tunnel.freeze(new=True)
    with connect(tunnel) as client:
        client.sendall(b"held")
        assert nothing_came(client)
        assert server.received == []
        tunnel.thaw()
        assert client.recv(1024) == b"held"


def test_server_does_not_hear_of_a_client_that_leaves_in_a_freeze(server: EchoServer, tunnel: Tunnel) -> None:
    """The end of a frozen connection is held back like everything else."""
    client = connect(tunnel)
    assert echo(client, b"before") == b"before"
    tunnel.freeze()
    client.close()
    with connect(tunnel) as fresh:
        assert echo(fresh, b"new") == b"new"
        assert not server.ended.is_set()
        tunnel.thaw()
        assert server.ended.wait(_SECONDS)


@pytest.mark.parametrize("frozen", [False, True])
def test_cut_resets(tunnel: Tunnel, *, frozen: bool) -> None:
    """A cut ends what is open with a reset, frozen or not, and the next connection works."""
    with connect(tunnel) as client:
        assert echo(client, b"before") == b"before"
        if frozen:
            tunnel.freeze()
        tunnel.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1024)
    with connect(tunnel) as client:
        assert echo(client, b"after") == b"after"


def test_refuse_lets_nobody_in_and_leaves_the_others(tunnel: Tunnel) -> None:
    """While it refuses, no connection is made and the open ones work; then it lets in again on the same port."""
    with connect(tunnel) as client:
        assert echo(client, b"before") == b"before"
        tunnel.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(tunnel)
        assert echo(client, b"still") == b"still"
        tunnel.accept()
    with connect(tunnel) as client:
        assert echo(client, b"after") == b"after"
