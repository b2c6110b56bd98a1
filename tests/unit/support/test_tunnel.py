"""Tests of the tunnel between a client and an echo server."""

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
            self.server.received.append(chunk)  # type: ignore[attr-defined]  # an attribute of EchoServer
            self.request.sendall(chunk)
        self.server.ended.set()  # type: ignore[attr-defined]  # an attribute of EchoServer


class EchoServer(socketserver.ThreadingTCPServer):
    """Sends back and records everything that it receives."""

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
    """A tunnel to the echo server."""
    with Tunnel(f"http://127.0.0.1:{server.server_address[1]}") as tunnel:
        yield tunnel


def connect(tunnel: Tunnel) -> socket.socket:
    """Open a client connection."""
    return socket.create_connection(("127.0.0.1", int(tunnel.url.rpartition(":")[2])), _SECONDS)


def echo(client: socket.socket, word: bytes) -> bytes:
    """Send a word and return the response."""
    client.sendall(word)
    return client.recv(1024)


def is_silent(client: socket.socket) -> bool:
    """Whether neither data nor the end of the connection arrives within 0.2 s."""
    return not select.select([client], [], [], 0.2)[0]


def test_frozen_tunnel_delays_data_until_the_thaw(server: EchoServer, tunnel: Tunnel) -> None:
    """Frozen connections are silent while new ones work. After the thaw, the delayed data arrives."""
    with connect(tunnel) as frozen:
        assert echo(frozen, b"before") == b"before"
        tunnel.freeze()
        frozen.sendall(b"delayed")
        with connect(tunnel) as new_client:
            assert echo(new_client, b"new") == b"new"
        assert is_silent(frozen)
        assert server.received == [b"before", b"new"]
        tunnel.thaw()
        assert frozen.recv(1024) == b"delayed"


def test_tunnel_frozen_for_new_connections_delays_their_data(server: EchoServer, tunnel: Tunnel) -> None:
    """With `new`, a connection that is opened during the freeze is accepted and is silent until the thaw."""
    tunnel.freeze(new=True)
    with connect(tunnel) as client:
        client.sendall(b"delayed")
        assert is_silent(client)
        assert server.received == []
        tunnel.thaw()
        assert client.recv(1024) == b"delayed"


def test_frozen_tunnel_delays_the_end_of_a_connection(server: EchoServer, tunnel: Tunnel) -> None:
    """If a client closes a frozen connection, the server notices this only after the thaw."""
    client = connect(tunnel)
    assert echo(client, b"before") == b"before"
    tunnel.freeze()
    client.close()
    with connect(tunnel) as new_client:
        assert echo(new_client, b"new") == b"new"
        assert not server.ended.is_set()
        tunnel.thaw()
        assert server.ended.wait(_SECONDS)


@pytest.mark.parametrize("frozen", [False, True])
def test_cut_tunnel_resets_connections(tunnel: Tunnel, *, frozen: bool) -> None:
    """A cut resets open connections, frozen or not, and the next connection works."""
    with connect(tunnel) as client:
        assert echo(client, b"before") == b"before"
        if frozen:
            tunnel.freeze()
        tunnel.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1024)
    with connect(tunnel) as client:
        assert echo(client, b"after") == b"after"


def test_refusing_tunnel_keeps_open_connections(tunnel: Tunnel) -> None:
    """New connections are refused while open ones work. Later, new ones are accepted on the same port."""
    with connect(tunnel) as client:
        assert echo(client, b"before") == b"before"
        tunnel.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(tunnel)
        assert echo(client, b"still") == b"still"
        tunnel.accept()
    with connect(tunnel) as client:
        assert echo(client, b"after") == b"after"
