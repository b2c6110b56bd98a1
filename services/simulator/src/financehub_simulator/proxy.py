"""A CONNECT proxy that leads every simulated host to the TLS port, and no other host anywhere.

With `HTTPS_PROXY` and the authority's file in `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE`, an unchanged
client of the real services talks to the simulator (RFC 9110, 9.3.6).
"""

import asyncio
import contextlib

from financehub_simulator.hosts import is_simulated

_HEAD_LIMIT = 16_384
_HEAD_TIMEOUT = 10.0


class ConnectProxy:
    """The proxy.

    Args:
        address: host and port of the TLS server.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._clients: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port.

        Raises:
            OSError: the port cannot be had.
        """
        self._server = await asyncio.start_server(self._serve, host, port, limit=_HEAD_LIMIT)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Stop listening and hang up on every client, which ends its tunnel."""
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_HEAD_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._tunnel(head.split(b"\r\n", 1)[0].decode("latin-1"), reader, writer)
        self._clients.discard(writer)
        writer.close()

    async def _tunnel(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, _, rest = line.partition(" ")
        host = rest.split(" ", 1)[0]
        if method != "CONNECT":
            await _refuse(writer, "405 Method Not Allowed", "this proxy takes CONNECT only")
            return
        if not is_simulated(host):
            await _refuse(writer, "403 Forbidden", f"{host} is no host the simulator stands in for")
            return
        their_reader, their_writer = await asyncio.open_connection(*self._address)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, their_writer))
                group.create_task(_pump(their_reader, writer))
        except* ConnectionError:
            pass  # either side may hang up at any time: that ends the tunnel, and is what the `cut` fault looks like
        finally:
            their_writer.close()


async def _refuse(writer: asyncio.StreamWriter, status: str, problem: str) -> None:
    body = f"financehub-simulator: {problem}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    # One side has said all; the other learns it and may still answer. TLS cannot half-close, so the connection ends.
    writer.close()
