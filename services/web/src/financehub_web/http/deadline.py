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
    #: When the connection began to wait for its next request, in the time of the loop.
    waits_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Begin to wait for the first request, and make room for it if there are too many connections."""
        super().connection_made(transport)
        self.waits_since = self.loop.time()
        self._make_room()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a request, or no longer if it is complete."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self.waits_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._stop()

    def _make_room(self) -> None:
        """Close the oldest waiting connection if the limit is reached, so that silent clients lock nobody out.

        Uvicorn refuses requests at the limit, which is what remains if every connection has a request.
        """
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency:
            return
        others = (each for each in self.connections if isinstance(each, RequestDeadline) and each is not self)
        oldest = min((each for each in others if each.is_waiting()), key=lambda each: each.waits_since, default=None)
        if oldest is not None:
            oldest.transport.close()

    def is_waiting(self) -> bool:
        """Whether the client has sent no complete request, and closing the connection frees it at once."""
        is_idle = self.conn.their_state in _EXPECTED and not self.transport.is_closing()
        return is_idle and self.transport.get_write_buffer_size() == 0

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
