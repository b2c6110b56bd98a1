"""Tests that connections without a complete request are closed, and all others are not."""

import socket
import time
from contextlib import ExitStack

import httpx
import pytest

from support.waiting import eventually
from support.web_server import serving

HEAD = b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n"
FORM = b"POST /actions/purge HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n\r\nid="


def test_connection_without_a_complete_request_is_closed(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither silence nor a part of a request keeps a connection, before the first request and after one."""
    monkeypatch.setattr("financehub_web.http.deadline.REQUEST_SECONDS", 0.5)
    with serving(redis_url, web_mode="write", web_host="localhost") as server:
        for sent in (b"", HEAD, HEAD + b"\r\n" + HEAD, FORM):
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
                client.sendall(sent)
                began = time.monotonic()
                while client.recv(65_536):
                    assert time.monotonic() - began < 15
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(HEAD)
            assert any(is_closed_after(client, f"X-{number}: 1\r\n".encode()) for number in range(200))


def is_closed_after(client: socket.socket, data: bytes) -> bool:
    """Send a part of a head after a short time, and return whether the server has closed the connection."""
    time.sleep(0.05)
    try:
        client.sendall(data)
    except OSError:
        return True
    return False


def test_stream_and_idle_client_outlive_the_deadline(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is for the head of a request only."""
    monkeypatch.setattr("financehub_web.http.deadline.REQUEST_SECONDS", 1.5)
    with serving(redis_url) as server, server.client() as client:
        with client.stream("GET", "/api/v1/stream/quotes") as stream:
            lines = stream.iter_lines()
            next(lines)
            time.sleep(2)
            assert not stream.is_closed
            with httpx.Client(base_url=server.url, timeout=60) as other:
                first = other.get("/api/health")
                time.sleep(2)
                assert other.get("/api/health").status_code == first.status_code
        assert server.client().get("/api/health").status_code in {200, 503}


def test_silent_connections_lock_nobody_out(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit, the connection that has waited longest for a request is closed for a new client."""
    monkeypatch.setattr("financehub_web.app.MOST_CONNECTIONS", 5)
    monkeypatch.setattr("financehub_web.http.deadline.REQUEST_SECONDS", 600)  # so that the deadline closes none
    with serving(redis_url) as server, ExitStack() as stack:
        other = stack.enter_context(server.client())
        stream = stack.enter_context(other.stream("GET", "/api/v1/stream/quotes"))
        lines = stream.iter_lines()
        next(lines)
        silent = []
        for sent in (b"", HEAD, FORM, b"", HEAD):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            client.sendall(sent)
            silent.append(client)
        for _ in range(3):
            with server.client() as client:
                assert client.get("/static/console.css").status_code == 200
        assert not silent[0].recv(65_536)
        server.begin_drain()
        assert list(lines), "the stream was closed before the server ended"


def test_connections_beyond_the_limit_get_503(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that stay connected cannot use up the memory of the process, and others are served when they leave."""
    monkeypatch.setattr("financehub_web.app.MOST_CONNECTIONS", 6)
    with serving(redis_url) as server, ExitStack() as streams:
        lines = []  # an iterator that nobody holds would close its stream
        for _ in range(5):
            client = streams.enter_context(server.client())
            lines.append(streams.enter_context(client.stream("GET", "/api/v1/stream/quotes")).iter_lines())
            next(lines[-1])

        def status() -> int:
            with server.client() as client:
                return client.get("/static/console.css").status_code

        # The end of a refused connection may arrive before the answer has been read.
        eventually(lambda: status() == 503, "others are refused", ignored=httpx.TransportError)
        streams.close()
        eventually(lambda: status() == 200, "others are served again", ignored=httpx.TransportError)
