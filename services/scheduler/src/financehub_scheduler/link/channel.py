"""Sends and receives messages over a Unix socket whose other end belongs to another process of the same container."""

import asyncio
import contextlib
import socket
from typing import Self

from financehub_scheduler.link.wire import Message, decode, encode

#: Bytes of a frame's length.
_LENGTH = 4
#: A longer frame is a mistake. The largest resource of an API server has 1.5 MB.
_MAX_FRAME_BYTES = 64 * 1024 * 1024
#: Bytes that are received before anybody reads them. A sender that is faster has to wait.
_READ_AHEAD = 256 * 1024


class Channel:
    """One end of the link.

    Args:
        reader: Receives bytes.
        writer: Sends bytes.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> Self:
        """Use a connected socket, which the channel owns from now on."""
        sock.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=_READ_AHEAD))

    @property
    def waiting_bytes(self) -> int:
        """Number of bytes that the other process has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    def send(self, message: Message) -> None:
        """Send a message without waiting. Bytes that the other process does not take are kept, so limit them."""
        if self._writer.is_closing():
            return
        frame = encode(message)
        self._writer.write(len(frame).to_bytes(_LENGTH) + frame)

    async def send_and_wait(self, message: Message) -> None:
        """Send a message, and wait while the other process is slower than this one. `receive` notices its end."""
        self.send(message)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def receive(self) -> Message | None:
        """Return the next message, or None if the other process has closed its end or has died.

        Raises:
            ValueError: A frame does not contain a message. The processes are of different releases, or there is a bug.
        """
        try:
            size = int.from_bytes(await self._reader.readexactly(_LENGTH))
            if size > _MAX_FRAME_BYTES:
                raise ValueError(f"a frame of {size} bytes is too long")
            return decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def close(self) -> None:
        """Close this end, so that the other process notices the end of the link."""
        self._writer.close()
