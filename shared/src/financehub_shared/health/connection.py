"""One connection of the health server: reads a request, waits for the response, sends it and closes."""

import contextlib
import selectors
import socket
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from http import HTTPStatus

from financehub_shared.core.log import get_logger
from financehub_shared.health.app import Pending, json_response
from financehub_shared.health.http_messages import BadRequestError, Request, Response, parse_request

log = get_logger(__name__)

#: Time for the request line and the headers, however many bytes arrive in the meantime. The kubelet waits 5 s.
READ_SECONDS = 5.0
#: Time for a response that is made in another thread. A report that needs Redis takes 2 s if Redis hangs.
WAIT_SECONDS = 5.0
#: Time for sending a response. Prometheus's default timeout for a whole scrape is 10 s.
SEND_SECONDS = 10.0
#: Time for which the rest of a request is received and discarded. If the server closed the connection at once, the
#: client's kernel might discard the response (RFC 9112, section 9.6).
DISCARD_SECONDS = 1.0
_DISCARD_BYTES = 1_000_000
_RECEIVE_BYTES = 16_384
#: Makes one call non-blocking. Setting the socket itself would take another system call for each connection, and after
#: each system call, the thread may have to wait for busy threads of this process.
_AT_ONCE = socket.MSG_DONTWAIT


class State(Enum):
    """What a connection waits for: a request, a response, room for the response, or the end of a request's body."""

    READING = "reading"
    WAITING = "waiting"
    SENDING = "sending"
    DISCARDING = "discarding"
    CLOSED = "closed"


class Connection:
    """A connection with a deadline for each state. No method waits.

    Args:
        peer: Socket of the client.
        respond: Returns the response to a request, or the pending one.
        notify: Receives the connection and its response when a pending response is made, in any thread.
        now: Current monotonic time.
    """

    __slots__ = (
        "_discarded",
        "_has_more",
        "_notify",
        "_pending",
        "_received",
        "_request",
        "_respond",
        "_unsent",
        "deadline",
        "peer",
        "state",
        "watched",
    )

    def __init__(
        self,
        peer: socket.socket,
        respond: Callable[[Request], Response | Pending],
        notify: Callable[["Connection", Response], None],
        now: float,
    ) -> None:
        self.peer = peer
        #: The events for which the owner watches the socket at present.
        self.watched = 0
        self.state = State.READING
        self.deadline = now + READ_SECONDS
        self._respond = respond
        self._notify = notify
        self._received = b""
        self._request: Request | None = None
        self._pending: Pending | None = None
        self._has_more = True
        self._unsent: list[memoryview] = []
        self._discarded = 0

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is to be done with it."""
        return self.state is State.CLOSED

    @property
    def has_request(self) -> bool:
        """Whether the client has sent a whole request and does not have the whole response yet."""
        return self.state in {State.WAITING, State.SENDING}

    @property
    def events(self) -> int:
        """The events of `selectors` for which the connection waits."""
        if self.state in {State.READING, State.DISCARDING}:
            return selectors.EVENT_READ
        return selectors.EVENT_WRITE if self.state is State.SENDING else 0

    def proceed(self, now: float) -> None:
        """Receive or send what is possible now.

        Raises:
            OSError: The connection is broken.
        """
        with contextlib.suppress(BlockingIOError, InterruptedError):
            if self.state is State.READING:
                self._read(now)
            elif self.state is State.SENDING:
                self._send(now)
            elif self.state is State.DISCARDING:
                self._discard()

    def expire(self, now: float) -> None:
        """Respond that a pending response is late, or close the connection in any other state.

        Raises:
            OSError: The connection is broken.
        """
        if self.state is State.WAITING and self._pending is not None:
            self.answer(self._pending.too_late(), now)
        else:
            self.close()

    def answer(self, response: Response, now: float) -> None:
        """Start to send the response. Does nothing if the connection has a response already.

        Raises:
            OSError: The connection is broken.
        """
        if self.state not in {State.READING, State.WAITING}:
            return
        has_body = self._request is None or self._request.method != "HEAD"
        # The body is not copied, because many clients may wait for the same large response.
        self._unsent = [memoryview(response.head()), memoryview(response.body if has_body else b"")]
        self._received, self._pending = b"", None
        self.state, self.deadline = State.SENDING, now + SEND_SECONDS
        self.proceed(now)

    def close(self, _now: float = 0.0) -> None:
        """Give up what is left. The owner of the socket closes it."""
        self.state = State.CLOSED
        self._unsent = []

    def _read(self, now: float) -> None:
        data = self.peer.recv(_RECEIVE_BYTES, _AT_ONCE)
        if not data:
            self.close()
            return
        self._received += data
        try:
            parsed = parse_request(self._received)
        except BadRequestError as error:
            self.answer(json_response(error.status, {"error": str(error)}), now)
            return
        if parsed is None:
            return
        self._request, has_more = parsed
        self._has_more = has_more or self._request.has_body
        try:
            response = self._respond(self._request)
        except Exception:
            # boundary: a client gets an answer whatever happens in the application
            log.exception("health_response_failed", path=self._request.path)
            response = json_response(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "see the log"})
        if isinstance(response, Response):
            self.answer(response, now)
            return
        self.state, self.deadline, self._pending = State.WAITING, now + WAIT_SECONDS, response
        response.future.add_done_callback(self._on_made)

    def _on_made(self, future: "Future[Response]") -> None:
        # Called in another thread. Many clients may have given up in the meantime.
        if self.state is State.WAITING:
            self._notify(self, future.result())

    def _send(self, now: float) -> None:
        while self._unsent:
            sent = self.peer.send(self._unsent[0], _AT_ONCE) if self._unsent[0] else 0
            self._unsent[0] = self._unsent[0][sent:]
            if self._unsent[0]:
                return
            del self._unsent[0]
        if not self._has_more:
            self.close()
            return
        self.peer.shutdown(socket.SHUT_WR)
        self.state, self.deadline = State.DISCARDING, now + DISCARD_SECONDS
        self._discard()

    def _discard(self) -> None:
        data = self.peer.recv(_RECEIVE_BYTES, _AT_ONCE)
        self._discarded += len(data)
        if not data or self._discarded > _DISCARD_BYTES:
            self.close()
