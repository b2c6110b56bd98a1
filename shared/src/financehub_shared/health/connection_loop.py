"""Accepts and serves the connections of the health server in one thread, with a bounded number of connections.

A full server does not refuse connections, because a probe might be among them: the kubelet opens a new connection for
each probe. It closes the oldest connection instead. Connections with and without a request are counted separately, so
that clients that send nothing cannot displace a scrape, and clients that read nothing cannot displace a new probe.
"""

import contextlib
import errno
import os
import select
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from financehub_shared.core.log import get_logger
from financehub_shared.health.app import Pending
from financehub_shared.health.connection import READ_SECONDS, Connection
from financehub_shared.health.http_messages import Request, Response

log = get_logger(__name__)

#: Connections with a request. Prometheus, KEDA and people need far fewer.
MAX_ASKING = 64
#: Connections without a request. In a flood of 2,000 connections a second, a new client has 0.2 s to send its request
#: before it is the oldest one. A process may have 1,024 file descriptors or more.
MAX_IDLE = 400
#: Connections that are accepted, and responses that are sent, before other connections are served. Most connections of
#: a flood send nothing, and a probe waits behind them until all of them are accepted.
_ACCEPTED_PER_TURN = 256
_ANSWERED_PER_TURN = 8
#: Interval between checks of the deadlines, in seconds.
_SWEEP_SECONDS = 0.1
#: Pause if the machine has no resources for another connection and there is none to close, in seconds. It is also the
#: time that a new client has for its request before its connection is closed for another one.
_PAUSE_SECONDS = 0.005
#: Connections that can be served at the same time when the process has no other descriptors left.
_RESERVED = 16
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class ConnectionLoop:
    """Serves connections until it is stopped.

    Args:
        listeners: Non-blocking listening sockets. The loop closes them when it ends.
        respond: Returns the response to a request, or the pending one, without waiting.
    """

    def __init__(self, listeners: Sequence[socket.socket], respond: Callable[[Request], Response | Pending]) -> None:
        self._listeners = listeners
        self._respond = respond
        self._selector = selectors.DefaultSelector()
        #: Connections without and with a request: sets in the order in which they came to be so.
        self._idle: dict[Connection, None] = {}
        self._asking: dict[Connection, None] = {}
        #: Responses that were made in other threads.
        self._made: deque[tuple[Connection, Response]] = deque()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        for end in (self._wake_receiver, self._wake_sender):
            end.setblocking(False)
        #: Descriptors to give up for connections when the process has none left.
        self._reserve: list[int] = []
        self._fill_reserve()
        self._next_sweep = 0.0
        self._stopped = False

    def run(self) -> None:
        """Serve until `stop`."""
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ, None)
        while not self._stopped:
            try:
                self._turn()
            except Exception:
                # boundary: probes must be answered whatever happened; the pause keeps a repeated error from using a CPU
                log.exception("health_server_failed")
                time.sleep(_PAUSE_SECONDS)
        self._close()

    def stop(self) -> None:
        """Make `run` close all sockets and return. Called in another thread."""
        self._stopped = True
        self._wake()

    def _wake(self) -> None:
        # a full buffer wakes the loop as well
        with contextlib.suppress(BlockingIOError):
            self._wake_sender.send(b"\0")

    def _on_made(self, connection: Connection, response: Response) -> None:
        self._made.append((connection, response))
        self._wake()

    def _turn(self) -> None:
        ready = self._selector.select(_SWEEP_SECONDS if self._idle or self._asking else None)
        for key, _ in ready:
            if isinstance(key.data, Connection):
                self._serve(key.data, key.data.proceed)
            elif key.fileobj is self._wake_receiver:
                self._answer_made()
            else:
                self._accept(key.fileobj)  # type: ignore[arg-type]  # the listeners are the only other sockets
        now = time.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_SECONDS
            for connection in (*self._idle, *self._asking):
                if connection.deadline <= now:
                    self._serve(connection, connection.expire)

    def _answer_made(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_receiver.recv(4_096)
        for _ in range(min(len(self._made), _ANSWERED_PER_TURN)):
            connection, response = self._made.popleft()
            self._serve(connection, partial(connection.answer, response))
        if self._made:
            self._wake()

    def _accept(self, listener: socket.socket) -> None:
        accepted: list[Connection] = []
        for _ in range(_ACCEPTED_PER_TURN):
            try:
                peer, _ = listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in _NO_DESCRIPTORS:
                    continue  # the client has gone before it was accepted
                # Linux also raises this if no client waits.
                if not select.select([listener], [], [], 0)[0]:
                    break
                if not self._free_descriptor():
                    time.sleep(_PAUSE_SECONDS)
                    break
                continue
            connection = Connection(peer, self._respond, self._on_made, time.monotonic())
            self._idle[connection] = None
            self._limit(self._idle, MAX_IDLE)
            # Most clients have sent their request by now.
            self._serve(connection, connection.proceed, watch=False)
            accepted.append(connection)
        for connection in accepted:
            # Watching takes most of the time that a connection costs, and many have been closed again by now.
            if not connection.is_closed:
                self._watch(connection)

    def _free_descriptor(self) -> bool:
        """Close a descriptor of our own, if there is one that is not needed for a new client."""
        if self._reserve:
            os.close(self._reserve.pop())
            return True
        oldest = next(iter(self._idle or self._asking), None)
        if oldest is None or (
            oldest in self._idle and oldest.deadline - READ_SECONDS > time.monotonic() - _PAUSE_SECONDS
        ):
            return False
        self._serve(oldest, oldest.close)
        return True

    def _fill_reserve(self) -> None:
        with contextlib.suppress(OSError):
            while len(self._reserve) < _RESERVED:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY))

    def _limit(self, connections: dict[Connection, None], maximum: int) -> None:
        """Close the oldest of the connections if there are too many of them."""
        if len(connections) > maximum:
            oldest = next(iter(connections))
            self._serve(oldest, oldest.close)

    def _serve(self, connection: Connection, action: Callable[[float], None], *, watch: bool = True) -> None:
        """Perform an action of a connection, and wait for its next event."""
        if connection.is_closed:
            return
        try:
            action(time.monotonic())
        except OSError:
            connection.close()  # the client has gone
        except Exception:
            # boundary: an error in one connection must not cost the others
            log.exception("health_connection_failed")
            connection.close()
        if connection.is_closed:
            self._watch(connection)
            self._remove(connection)
            return
        if watch:
            self._watch(connection)
        if connection.has_request and connection in self._idle:
            del self._idle[connection]
            self._asking[connection] = None
            self._limit(self._asking, MAX_ASKING)
        elif not connection.has_request and connection in self._asking:
            # It has its response, and the rest of its request is discarded.
            del self._asking[connection]
            self._idle[connection] = None
            self._limit(self._idle, MAX_IDLE)

    def _watch(self, connection: Connection) -> None:
        """Watch for the events for which the connection waits."""
        events = connection.events
        if events == connection.watched:
            return
        if not connection.watched:
            self._selector.register(connection.peer, events, connection)
        elif not events:
            self._selector.unregister(connection.peer)
        else:
            self._selector.modify(connection.peer, events, connection)
        connection.watched = events

    def _remove(self, connection: Connection) -> None:
        self._idle.pop(connection, None)
        self._asking.pop(connection, None)
        connection.peer.close()
        self._fill_reserve()

    def _close(self) -> None:
        for connection in (*self._idle, *self._asking):
            self._serve(connection, connection.close)
        self._selector.close()
        for end in (*self._listeners, self._wake_receiver, self._wake_sender):
            end.close()
        for descriptor in self._reserve:
            os.close(descriptor)
