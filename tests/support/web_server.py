"""Runs the console and the API in a thread of the test, on a real socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.metrics import Metrics
from financehub_web.api.quote_feed import QuoteFeed
from financehub_web.app import build_app, build_server
from financehub_web.observability import LoopProbe
from financehub_web.reading.fleet import Fleet
from support.waiting import eventually


class WebServer:
    """One web process, without its port for probes.

    Args:
        settings: Settings of the process.
        clock: Clock of the process.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self.metrics = Metrics("web")
        self.feed = QuoteFeed(fleet := Fleet(settings, clock))
        self.app = build_app(settings, fleet, LoopProbe(clock), self.metrics, self.feed)
        self._server: uvicorn.Server = build_server(self.app, self.feed)
        self._socket = socket.create_server(("127.0.0.1", 0))
        # As the process does: otherwise the body of each response waits 40 ms for the acknowledgment of its head.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def start(self) -> "WebServer":
        """Start the server and wait until it accepts requests."""
        self._thread.start()
        eventually(lambda: self._server.started, "the server has started")
        return self

    def begin_drain(self) -> None:
        """Let the server end as after a signal, without waiting for it."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Stop the server."""
        self.begin_drain()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server does not stop"
        self._socket.close()

    def client(self, **options: object) -> httpx.Client:
        """Return a client of the server. It sends no headers that the test does not name, except for the host."""
        return httpx.Client(base_url=self.url, timeout=30, **options)  # type: ignore[arg-type]


@contextmanager
def serving(redis_url: str, *, clock: Clock | None = None, **settings: object) -> Iterator[WebServer]:
    """Run a web process until the context ends.

    Args:
        redis_url: URL of its Redis.
        clock: Clock of the process.
        settings: Further settings.
    """
    server = WebServer(Settings(redis_url=redis_url, **settings), clock).start()  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop()
