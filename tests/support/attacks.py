"""Clients that try to make an HTTP server unable to answer others."""

import contextlib
import multiprocessing
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

GET = b"GET /livez HTTP/1.1\r\nHost: here\r\n\r\n"

Attack = Callable[[int, Event], None]


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def _trickle(port: int, stop: Event, beginning: bytes, connections: int = 150) -> None:
    """Keep connections open that send one byte of an endless header a second, and replace the closed ones."""
    peers: list[socket.socket] = []
    while not stop.wait(1.0 if len(peers) >= connections else 0.0):
        with contextlib.suppress(OSError):
            while len(peers) < connections and not stop.is_set():
                peers.append(_connect(port))
                peers[-1].sendall(beginning)
        for peer in list(peers):
            try:
                peer.sendall(b"a")
            except OSError:
                peers.remove(peer)
                peer.close()
    _close(peers)


def _close(peers: list[socket.socket]) -> None:
    for peer in peers:
        peer.close()


def half_request_lines(port: int, stop: Event) -> None:
    _trickle(port, stop, b"GET /li")


def half_headers(port: int, stop: Event) -> None:
    _trickle(port, stop, b"GET /livez HTTP/1.1\r\nX-Long: ")


def idle_connections(port: int, stop: Event) -> None:
    """Open 2,000 connections that send nothing, and keep opening more."""
    peers: list[socket.socket] = []
    while not stop.is_set():
        with contextlib.suppress(OSError):
            peers.append(_connect(port))
        if len(peers) > 2_000:
            peers.pop(0).close()
            stop.wait(0.01)
    _close(peers)


def _repeat(port: int, stop: Event, act: Callable[[socket.socket], None]) -> None:
    while not stop.is_set():
        with contextlib.suppress(OSError), _connect(port) as peer:
            act(peer)


def connects(port: int, stop: Event) -> None:
    """Connect and disconnect as fast as possible."""
    _repeat(port, stop, lambda _: None)


def resets(port: int, stop: Event) -> None:
    """Send a request and reset the connection."""

    def act(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.sendall(GET)

    _repeat(port, stop, act)


def huge_bodies(port: int, stop: Event) -> None:
    """Announce a body of 1 GB and send it until the server closes the connection."""

    def act(peer: socket.socket) -> None:
        peer.sendall(b"POST /livez HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000000\r\n\r\n")
        while not stop.is_set():
            peer.sendall(bytes(65_536))

    _repeat(port, stop, act)


def chunked_bodies(port: int, stop: Event) -> None:
    """Send an endless body in chunks, after waiting for permission to send it."""

    def act(peer: socket.socket) -> None:
        head = b"PUT /livez HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer.sendall(head)
        while not stop.is_set():
            peer.sendall(b"4000\r\n" + bytes(0x4000) + b"\r\n")

    _repeat(port, stop, act)


def huge_headers(port: int, stop: Event) -> None:
    """Send headers without an end."""

    def act(peer: socket.socket) -> None:
        peer.sendall(b"GET /livez HTTP/1.1\r\n")
        while not stop.is_set():
            peer.sendall(b"X-Header: " + b"a" * 4_000 + b"\r\n")

    _repeat(port, stop, act)


def pipelines(port: int, stop: Event) -> None:
    """Send a thousand requests at once."""

    def act(peer: socket.socket) -> None:
        peer.sendall(GET * 1_000)
        while peer.recv(65_536):
            pass

    _repeat(port, stop, act)


def rubbish(port: int, stop: Event) -> None:
    """Send random bytes, and requests of HTTP/0.9."""

    def act(peer: socket.socket) -> None:
        peer.sendall(os.urandom(3_000) if os.urandom(1) < b"\x80" else b"GET /livez\r\n\r\n")
        while peer.recv(65_536):
            pass

    _repeat(port, stop, act)


def tls(port: int, stop: Event) -> None:
    """Begin TLS on the plain port."""
    context = ssl.create_default_context()

    def act(peer: socket.socket) -> None:
        context.wrap_socket(peer, server_hostname="here").close()

    _repeat(port, stop, act)


def _ask_without_reading(port: int, stop: Event, path: str, connections: int) -> None:
    peers: list[socket.socket] = []
    while not stop.is_set():
        with contextlib.suppress(OSError):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
            peer.settimeout(5)
            peer.connect(("127.0.0.1", port))
            peer.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            peers.append(peer)
        if len(peers) > connections:
            peers.pop(0).close()
            stop.wait(0.02)
    _close(peers)


def slow_readers(port: int, stop: Event) -> None:
    """Ask for metrics and do not read them."""
    _ask_without_reading(port, stop, "/metrics", 200)


def many_reports(port: int, stop: Event) -> None:
    """Ask for reports, metrics and queues, and wait for the answers on 300 connections."""
    paths = ["/api/health/", "/metrics", *(f"/queues/q{number}" for number in range(50))]
    threads = [threading.Thread(target=_ask_without_reading, args=(port, stop, path, 6), daemon=True) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


ATTACKS: list[Attack] = [
    half_request_lines,
    half_headers,
    idle_connections,
    connects,
    resets,
    huge_bodies,
    chunked_bodies,
    huge_headers,
    pipelines,
    rubbish,
    tls,
    slow_readers,
    many_reports,
]


@contextmanager
def attacking(attack: Attack, port: int) -> Iterator[None]:
    """Attack a port from another process while the block runs."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=attack, args=(port, stop), daemon=True)
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(10)
        process.kill()
        process.join()


def probe_seconds(port: int, path: str = "/livez", timeout: float = 10.0) -> float:
    """Return the seconds until a new connection has received the whole response to a probe.

    Raises:
        OSError: There is no response in time.
        AssertionError: The response is not one to a probe.
    """
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
        peer.sendall(GET.replace(b"/livez", path.encode()))
        answer = b""
        while part := peer.recv(65_536):
            answer += part
    seconds = time.monotonic() - started
    assert b'{"ok": ' in answer, answer
    return seconds
