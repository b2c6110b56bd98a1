"""uvicorn, set up for a simulator: long query strings, silent about the faults it makes on purpose."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import ClassVar, cast

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from financehub_simulator.app import build_app
from financehub_simulator.certificates import Certificates
from financehub_simulator.core import Simulator

#: A batch of 1,000 symbols is a request line of about 20 kB; h11 stops at 16 kB by default.
_MAX_REQUEST_LINE = 262_144


def _is_worth_logging(record: logging.LogRecord) -> bool:
    # A cut connection, and a `slow` answer that nobody waits for any more, look like that from inside.
    cancelled = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cancelled and not record.getMessage().startswith(("ASGI callable returned without", "Cancel "))


class Protocol(H11Protocol):
    """HTTP/1.1 that lets the application reach the connection, to break it."""

    open: ClassVar[dict[tuple[str, int] | None, asyncio.Transport]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets this only on sockets made with an explicit protocol number; without it every answer waits 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.pop(self.client, None)
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Finish the requests that are running, at most for a second."""
        self.should_exit = True


def build_server(sim: Simulator, certificates: Certificates | None = None) -> Server:
    """A server for one listening socket; with certificates it speaks TLS."""
    app = build_app(sim)

    async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "financehub.transport": Protocol.open.get(scope["client"])}
        await app(scope, receive, send)

    logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
    config = uvicorn.Config(
        with_transport,
        http=cast("type[asyncio.Protocol]", Protocol),
        h11_max_incomplete_event_size=_MAX_REQUEST_LINE,
        ssl_certfile=certificates.chain if certificates else None,
        ssl_keyfile=certificates.key if certificates else None,
        lifespan="off",
        access_log=False,
        log_level="error",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    return Server(config)
