"""A CONNECT proxy that forwards every simulated host to the TLS port and rejects all other hosts.

An unchanged client of the real services uses the simulator if `HTTPS_PROXY` names this proxy and `SSL_CERT_FILE`,
`REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE` name the certificate of the authority (RFC 9110, 9.3.6).
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence

from financehub_simulator.hosts import is_simulated

_MAX_HEAD_BYTES = 16_384
_HEAD_TIMEOUT_SECONDS = 10.0


class ConnectProxy:
    """A CONNECT proxy for the simulated hosts.

    Args:
        tls_address: Host and port of the TLS server.
    """

    def __init__(self, tls_address: tuple[str, int]) -> None:
        self._tls_address = tls_address
        self._clients: set[asyncio.StreamWriter] = set()
        self._servers: list[asyncio.Server] = []

    async def start(self, listeners: Sequence[socket.socket]) -> int:
        """Serve on listening sockets, and return their port."""
        for listener in listeners:
            self._servers.append(await asyncio.start_server(self._serve, sock=listener, limit=_MAX_HEAD_BYTES))
        return int(listeners[0].getsockname()[1])

    def stop(self) -> None:
        """Stop listening and close all client connections, which ends their tunnels."""
        for server in self._servers:
            server.close()
        for client in self._clients:
            client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_HEAD_TIMEOUT_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._tunnel(head.split(b"\r\n", 1)[0].decode("latin-1"), reader, writer)
        self._clients.discard(writer)
        writer.close()

    async def _tunnel(self, request_line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, _, rest = request_line.partition(" ")
        host = rest.split(" ", 1)[0]
        if method != "CONNECT":
            await _reject(writer, "405 Method Not Allowed", "this proxy accepts CONNECT only")
            return
        if not is_simulated(host):
            await _reject(writer, "403 Forbidden", f"{host} is not a host that the simulator imitates")
            return
        server_reader, server_writer = await asyncio.open_connection(*self._tls_address)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, server_writer))
                group.create_task(_copy(server_reader, writer))
        except* ConnectionError:
            pass  # Either side may close its connection at any time, for example because of the fault `cut`.
        finally:
            server_writer.close()


async def _reject(writer: asyncio.StreamWriter, status: str, problem: str) -> None:
    body = f"financehub-simulator: {problem}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    # TLS cannot close only one direction, so the end of one direction closes the whole connection.
    writer.close()
