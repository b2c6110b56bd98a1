"""Closes connections that send no complete request, so that they cannot use up the sockets of the process."""

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds within which a request must arrive, with its headers and its body. The largest form has 100 kB.
REQUEST_SECONDS: Final = 10.0
#: States of a client from which more of a request is expected.
_EXPECTED: Final = (h11.IDLE, h11.SEND_BODY)


class RequestDeadline(H11Protocol):
    """The protocol of uvicorn, which has a timeout only for connections that send nothing after a response."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a request, or no longer if it is complete."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        if self.conn.their_state not in _EXPECTED:
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._deadline = None
        if self.conn.their_state in _EXPECTED and not self.transport.is_closing():
            self.transport.close()
