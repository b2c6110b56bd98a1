"""Blocking connections that only a master may serve, over TCP, TLS, Unix sockets and Sentinels.

A connection asks for the role of its server when it is opened, and again once it has been open for `CHECK_SECONDS`. The
reply of HELLO contains the role, and every ACL allows this command. A server that is a replica, or that refuses a
command because it is one, was demoted: the address is then looked up again (see `address`). A Redis Cluster and a
Sentinel are refused with the reason. `async_connections` has the same connections for coroutines.
"""

from collections.abc import Mapping
from typing import Any

import redis

from financehub_shared.redis.address import Address
from financehub_shared.redis.replies import MALFORMED_REPLY
from financehub_shared.redis.sentinel import NoMasterError, Sentinels
from financehub_shared.redis.server_check import NotMasterError, NotRedisError, ServerState, check_server


class _Blocking(redis.connection.AbstractConnection):
    def __init__(self, *, address: Address, **parameters: Any) -> None:
        self._state = ServerState(address)
        super().__init__(**parameters)

    def connect(self) -> None:
        """Open the connection, unless it is open and its server is still the master."""
        if self.is_connected:
            if self._state.is_outdated():
                self.disconnect()  # type: ignore[no-untyped-call]
            elif self._state.needs_check():
                self._check_or_close()
            if self.is_connected:
                return
        super().connect()  # type: ignore[no-untyped-call]

    def connect_check_health(self, *args: Any, **parameters: Any) -> None:
        """Open the connection."""
        if not self.is_connected:
            self._state.opening()
            self._look_up()
        super().connect_check_health(*args, **parameters)

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Log in, select the database, and check the role."""
        try:
            super().on_connect_check_health(check_health)
            # redis-py has just sent HELLO, so a second one would only cost a round trip
            hello = self.handshake_metadata
            if isinstance(hello, Mapping) and hello:
                self._judge(hello)
            else:
                self._check()
        except MALFORMED_REPLY as error:
            raise NotRedisError(self._state.address.place) from error

    def read_response(self, *args: Any, **parameters: Any) -> Any:
        """Read a reply."""
        try:
            return super().read_response(*args, **parameters)
        except redis.RedisError as error:
            translated = self._state.translate(error)
            if translated is error:
                raise
            raise translated from error

    def _look_up(self) -> None:
        """Find the host and port, if something other than the resolver of host names knows them."""

    def _check(self) -> None:
        self.send_command("HELLO", check_health=False)  # type: ignore[no-untyped-call]
        self._judge(self.read_response())

    def _judge(self, hello: object) -> None:
        try:
            check_server(hello, self._state.address.place)
        except NotMasterError:
            self._state.address.look_up_again(self._state.lookups)
            raise

    def _check_or_close(self) -> None:
        try:
            self._check()
        except redis.ConnectionError:
            self.disconnect()  # type: ignore[no-untyped-call]


class MasterConnection(_Blocking, redis.Connection):
    """A blocking connection over TCP."""


class TlsMasterConnection(_Blocking, redis.SSLConnection):
    """A blocking connection over TLS."""


class UnixMasterConnection(_Blocking, redis.UnixDomainSocketConnection):
    """A blocking connection over a Unix socket."""


class _BlockingSentinel(_Blocking, redis.Connection):
    def __init__(self, *, sentinels: Sentinels, **parameters: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**parameters)

    def connect(self) -> None:
        """Open the connection, unless it is open and its server is still the master."""
        # a former master that is cut off from the Sentinels does not know yet that it is one
        if self.is_connected and self._state.address.needs_question():
            self._ask()
        super().connect()

    def connect_check_health(self, *args: Any, **parameters: Any) -> None:
        """Open the connection. If the named server fails, the next attempt begins with another Sentinel."""
        try:
            super().connect_check_health(*args, **parameters)
        except NoMasterError:
            raise
        except redis.RedisError:
            # this Sentinel may be cut off from the others, and name a former master for as long as that lasts
            self._sentinels.doubt((self.host, self.port))
            raise

    def _look_up(self) -> None:
        self.host, self.port = self._sentinels.master()

    def _ask(self) -> None:
        """Look the address up again if the Sentinels name another server than this connection has."""
        if self._sentinels.known_master() not in (None, (self.host, self.port)):
            self._state.address.look_up_again(self._state.lookups)


class SentinelConnection(_BlockingSentinel):
    """A blocking connection over TCP to the master that Sentinels name."""


class TlsSentinelConnection(_BlockingSentinel, redis.SSLConnection):
    """A blocking connection over TLS to the master that Sentinels name."""
