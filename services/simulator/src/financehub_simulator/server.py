"""The uvicorn server, configured for long query strings and without log lines about intended faults."""

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
from financehub_simulator.state import Simulator

#: A request for 1,000 symbols has a request line of about 20 kB. The default limit of h11 is 16 kB.
_MAX_REQUEST_LINE = 262_144


def _is_worth_logging(record: logging.LogRecord) -> bool:
    # These records are caused by cut connections and by delayed responses that the client did not wait for.
    cancelled = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cancelled and not record.getMessage().startswith(("ASGI callable returned without", "Cancel "))


class TransportProtocol(H11Protocol):
    """HTTP/1.1 that gives the application access to the transport, so that it can break the connection."""

    transports: ClassVar[dict[tuple[str, int] | None, asyncio.Transport]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets this option only on sockets that were created with an explicit protocol number. Without it, every
        # response is delayed by 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transports[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transports.pop(self.client, None)
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """A uvicorn server that does not install signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Stop after the current requests, and after one second at the latest."""
        self.should_exit = True


def build_server(simulator: Simulator, certificates: Certificates | None = None) -> Server:
    """Build a server for one listening socket. It uses TLS if certificates are given."""
    app = build_app(simulator)

    async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "financehub.transport": TransportProtocol.transports.get(scope["client"])}
        await app(scope, receive, send)

    logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
    config = uvicorn.Config(
        with_transport,
        http=cast("type[asyncio.Protocol]", TransportProtocol),
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
