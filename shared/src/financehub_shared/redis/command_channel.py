"""Sends commands that run with every message, with as little work as possible around each of them.

The client of redis-py takes about 45 µs for a command: it takes the connection from a pool with a lock, and calls its
metrics and its retries. A message has several commands, so that is a large part of what a worker can process. A channel
keeps the connections and does only what is needed.
"""

import os
from typing import Any

import redis

from financehub_shared.redis.faults import FAILOVER_ERRORS


class CommandChannel:
    """The connections on which one client sends its frequent commands. All methods are thread-safe.

    A command never runs twice: a broken connection raises an error, and is opened again for the next command. The
    exception is a server that refuses a command because it is not the master. That command did not run, so it is sent
    once more, on a new connection.

    Args:
        client: Client whose pool provides the connections. `client.close()` closes them too.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._pool: Any = client.connection_pool
        self._process = os.getpid()
        #: Idle connections, newest last. Appending to a list and taking its last element are atomic.
        self._idle: list[Any] = []

    def call(self, *command: str | bytes | float) -> Any:
        """Send a command and return its reply.

        Raises:
            redis.RedisError: Redis did not answer or refused the command.
        """
        try:
            return self._send(command)
        except FAILOVER_ERRORS:
            return self._send(command)

    def _send(self, command: tuple[str | bytes | float, ...]) -> Any:
        connection = self._take()
        is_usable = False
        try:
            connection.send_command(*command, check_health=False)
            reply = connection.read_response()
            is_usable = True
        except redis.ResponseError as error:
            is_usable = not isinstance(error, FAILOVER_ERRORS)
            raise
        finally:
            # Any other error, also one that interrupts this thread, may leave a reply unread.
            if not is_usable:
                connection.disconnect()
            self._idle.append(connection)
        return reply

    def _take(self) -> Any:
        """Return an open connection, or one that its first command opens."""
        if self._process != os.getpid():  # a fork must not share the connections of its parent
            self._process, self._idle = os.getpid(), []
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._pool.get_connection()
        try:
            connection.connect()
            # A server that closes the connection during the command is noticed by the command.
            if _is_stale(connection):
                connection.disconnect()
                connection.connect()
        except BaseException:
            connection.disconnect()
            self._idle.append(connection)
            raise
        return connection


def _is_stale(connection: Any) -> bool:
    """Whether the server has closed an idle connection, or has sent something that no command asked for."""
    try:
        return bool(connection.can_read())
    except redis.ConnectionError:
        return True
