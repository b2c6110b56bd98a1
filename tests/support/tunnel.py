"""A network connection that a test can break: connections are cut, refused or frozen.

    with Tunnel(control_plane.server) as tunnel:
        start_operator(kubeconfig=tunnel.kubeconfig(user.kubeconfig))
        tunnel.freeze()         # half-open: no data passes, and neither side notices
        tunnel.thaw()
        tunnel.refuse()         # new connections are refused, open ones stay
        tunnel.cut()            # all connections are reset
        tunnel.accept()
        tunnel.move(other)      # new connections reach another server, open ones stay

Bytes pass unchanged, so TLS works. Data that one side sends during a freeze arrives after it. The kernel still responds
to TCP keepalives during a freeze. As with a hung server, a client notices only that data is missing.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from support.redis_server import free_port
from test_cluster.control_plane.kubeconfig import kubeconfig_for_server

T = TypeVar("T")

_CHUNK = 65_536
#: Longest time for a step of the event loop in the thread of the tunnel.
_SECONDS = 60
#: Option that closes a socket immediately, with a reset.
_RESET = struct.pack("ii", 1, 0)


class _Connection:
    """A client connection and the corresponding connection to the server."""

    def __init__(self, writers: list[asyncio.StreamWriter], *, frozen: bool) -> None:
        self.writers = writers
        self.flows = asyncio.Event()
        if not frozen:
            self.flows.set()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one direction until it is closed or fails. A freeze also delays the close."""
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self.flows.wait()
                writer.write(chunk)
                await writer.drain()
        await self.flows.wait()

    def reset(self) -> None:
        """Reset both connections."""
        self.flows.set()
        for writer in self.writers:
            sock: socket.socket = writer.get_extra_info("socket")
            if not writer.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()


class Tunnel:
    """A TCP proxy on its own port.

    Args:
        target: URL of the server.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)
        self._port = free_port()
        self.url = f"{parts.scheme}://127.0.0.1:{self._port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tunnel", daemon=True)
        self._listener: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._freezes_new = False

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self.thaw()
        self.cut()
        self._run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    def kubeconfig(self, original: Path) -> Path:
        """Write a kubeconfig that connects through the tunnel, and return its path.

        Args:
            original: Kubeconfig of a control plane user.
        """
        return kubeconfig_for_server(original, self.url)

    def accept(self) -> None:
        """Accept new connections, as at the start."""

        async def listen() -> None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

        self._run(listen())

    def refuse(self) -> None:
        """Refuse new connections. Open ones remain."""

        def close() -> None:
            if self._listener:
                self._listener.close()
                self._listener = None

        self._call(close)

    def cut(self) -> None:
        """Reset every open connection."""

        def reset_all() -> None:
            for connection in self._connections:
                connection.reset()

        self._call(reset_all)

    def move(self, target: str) -> None:
        """Connect new connections to another server, as a DNS name or a Service does after a failover.

        Args:
            target: URL of the other server.
        """
        parts = urlsplit(target)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)

    def freeze(self, *, new: bool = False) -> None:
        """Stop forwarding. Connections stay open, and neither side notices.

        Args:
            new: Whether to accept new connections and forward nothing on them either.
        """

        def close_gates() -> None:
            self._freezes_new = new
            for connection in self._connections:
                connection.flows.clear()

        self._call(close_gates)

    def thaw(self) -> None:
        """Forward again, beginning with the delayed data."""

        def open_gates() -> None:
            self._freezes_new = False
            for connection in self._connections:
                connection.flows.set()

        self._call(open_gates)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection([writer], frozen=self._freezes_new)
        self._connections.add(connection)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            connection.writers.append(far_writer)
            pumps = [connection.pump(reader, far_writer), connection.pump(far_reader, writer)]
            tasks = [asyncio.create_task(pump) for pump in pumps]
            # HTTP and TLS do not use half-closed connections.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            connection.reset()
        except asyncio.CancelledError:
            # The tunnel ends. asyncio would log a connection that was canceled as an error.
            connection.reset()
        finally:
            self._connections.discard(connection)
            for open_writer in connection.writers:
                open_writer.close()

    async def _finish(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _call(self, function: Callable[[], Any]) -> None:
        async def call() -> None:
            function()

        self._run(call())

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)
