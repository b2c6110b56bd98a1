"""Connections that only a master may serve, blocking and for coroutines, over TCP, TLS, Unix sockets and Sentinels.

A connection asks for the role of its server when it is opened, and again once it has been open for `CHECK_SECONDS`. The
reply of HELLO contains the role, and every ACL allows this command. A server that is a replica, or that refuses a
command because it is one, was demoted: the address is then looked up again (see `address`). A Redis Cluster and a
Sentinel are refused with the reason.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.connection import UnixDomainSocketConnection as AsyncUnixDomainSocketConnection

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.redis.address import Address
from financehub_shared.redis.faults import FAILOVER_ERRORS, is_failover
from financehub_shared.redis.replies import MALFORMED_REPLY
from financehub_shared.redis.sentinel import AsyncSentinels, NoMasterError, Sentinels
from financehub_shared.redis.text import decode

#: A former master that still answers reads is noticed within this time. A check takes one round trip.
CHECK_SECONDS = 15.0


class NotMasterError(FinanceHubError, redis.ConnectionError):
    """The server is a replica. After a failover, the address soon leads to the new master, so this is retried."""


class WrongServerError(FinanceHubError, redis.RedisError):
    """The server is a Redis Cluster or a Sentinel. Another URL is needed, so this is not retried."""


class NotRedisError(FinanceHubError, redis.ConnectionError):
    """The server answers something that no Redis server answers.

    Args:
        place: The address.
    """

    def __init__(self, place: str) -> None:
        super().__init__(f"{place} sends replies that no Redis server sends")


def check_server(hello: object, place: str) -> None:
    """Check the reply of HELLO.

    Args:
        hello: The reply.
        place: The address, for the error.

    Raises:
        NotMasterError: The server is a replica.
        NotRedisError: The reply is not one of HELLO.
        WrongServerError: The server is a Redis Cluster or a Sentinel.
    """
    if not isinstance(hello, Mapping):
        raise NotRedisError(place)
    facts = {decode(name): decode(value) for name, value in hello.items()}
    if facts.get("mode") == "cluster":
        raise WrongServerError(
            f"{place} is a Redis Cluster, which is not supported, because scripts use keys of several slots; use a "
            "single Redis server (redis://), or several servers with Sentinels (redis+sentinel://)"
        )
    if facts.get("mode") == "sentinel":
        raise WrongServerError(f"{place} is a Sentinel and not a server; use redis+sentinel://host:port/service/db")
    if facts.get("role", "master") != "master":
        raise NotMasterError(f"{place} is a replica; use the address that leads to the master")


class _State:
    """What a connection knows about its server."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.lookups = -1
        self.check_at = 0.0

    def opening(self) -> None:
        """Note that the address is being looked up."""
        self.lookups = self.address.lookups
        self.check_at = time.monotonic() + CHECK_SECONDS

    def is_outdated(self) -> bool:
        """Whether the address was looked up again since."""
        return self.lookups != self.address.lookups

    def needs_check(self) -> bool:
        """Whether the role has to be asked for, which it then is."""
        now = time.monotonic()
        if now < self.check_at:
            return False
        self.check_at = now + CHECK_SECONDS
        return True

    def translate(self, error: redis.RedisError) -> redis.RedisError:
        """Return the error to raise. If the server may not be the master, the address is looked up again."""
        if isinstance(error, redis.TimeoutError):
            # The address may lead to another server by the time the hung one answers again, still as a master. Idle
            # connections, which did not time out, must not continue with it.
            self.address.look_up_again(self.lookups)
            return error
        if not is_failover(error):
            return error
        self.address.look_up_again(self.lookups)
        if isinstance(error, FAILOVER_ERRORS):
            return error
        # Redis 6.2 sends the error of a script as a plain one, which the clients would not retry
        return redis.exceptions.ReadOnlyError(str(error))


class _Blocking(redis.connection.AbstractConnection):
    def __init__(self, *, address: Address, **parameters: Any) -> None:
        self._state = _State(address)
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

    def _check_or_close(self) -> None:
        # a former master that is cut off from the Sentinels does not know yet that it is one
        if self._sentinels.known_master() in (None, (self.host, self.port)):
            super()._check_or_close()
        else:
            self._state.address.look_up_again(self._state.lookups)
            self.disconnect()  # type: ignore[no-untyped-call]


class SentinelConnection(_BlockingSentinel):
    """A blocking connection over TCP to the master that Sentinels name."""


class TlsSentinelConnection(_BlockingSentinel, redis.SSLConnection):
    """A blocking connection over TLS to the master that Sentinels name."""


class _Async(redis.asyncio.connection.AbstractConnection):
    def __init__(self, *, address: Address, **parameters: Any) -> None:
        self._state = _State(address)
        super().__init__(**parameters)

    async def connect(self) -> None:
        """Open the connection, unless it is open and its server is still the master."""
        if self.is_connected:
            if self._state.is_outdated():
                await self.disconnect()
            elif self._state.needs_check():
                await self._check_or_close()
            if self.is_connected:
                return
        await super().connect()  # type: ignore[no-untyped-call]

    async def connect_check_health(self, *args: Any, **parameters: Any) -> None:
        """Open the connection."""
        if not self.is_connected:
            self._state.opening()
            await self._look_up()
        await super().connect_check_health(*args, **parameters)

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Log in, select the database, and check the role."""
        try:
            await super().on_connect_check_health(check_health)
            await self._check()
        except MALFORMED_REPLY as error:
            raise NotRedisError(self._state.address.place) from error

    async def read_response(self, *args: Any, **parameters: Any) -> Any:
        """Read a reply."""
        try:
            return await super().read_response(*args, **parameters)
        except redis.RedisError as error:
            translated = self._state.translate(error)
            if translated is error:
                raise
            raise translated from error

    async def _look_up(self) -> None:
        """Find the host and port, if something other than the resolver of host names knows them."""

    async def _check(self) -> None:
        await self.send_command("HELLO", check_health=False)
        hello = await self.read_response()
        try:
            check_server(hello, self._state.address.place)
        except NotMasterError:
            self._state.address.look_up_again(self._state.lookups)
            raise

    async def _check_or_close(self) -> None:
        try:
            await self._check()
        except redis.ConnectionError:
            await self.disconnect(nowait=True)


class AsyncMasterConnection(_Async, redis.asyncio.Connection):
    """A connection for coroutines over TCP."""


class AsyncTlsMasterConnection(_Async, redis.asyncio.SSLConnection):
    """A connection for coroutines over TLS."""


class AsyncUnixMasterConnection(_Async, AsyncUnixDomainSocketConnection):
    """A connection for coroutines over a Unix socket."""

    async def _connect(self) -> None:
        # that of redis-py also logs in, which `connect_check_health` does afterwards for every kind of connection
        async with asyncio.timeout(self.socket_connect_timeout):
            self._reader, self._writer = await asyncio.open_unix_connection(path=self.path)


class _AsyncSentinel(_Async, redis.asyncio.Connection):
    def __init__(self, *, sentinels: AsyncSentinels, **parameters: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**parameters)

    async def connect_check_health(self, *args: Any, **parameters: Any) -> None:
        """Open the connection. See `_BlockingSentinel`."""
        try:
            await super().connect_check_health(*args, **parameters)
        except NoMasterError:
            raise
        except redis.RedisError:
            self._sentinels.doubt((self.host, self.port))
            raise

    async def _look_up(self) -> None:
        self.host, self.port = await self._sentinels.master()

    async def _check_or_close(self) -> None:
        # see `_BlockingSentinel`
        if await self._sentinels.known_master() in (None, (self.host, self.port)):
            await super()._check_or_close()
        else:
            self._state.address.look_up_again(self._state.lookups)
            await self.disconnect(nowait=True)


class AsyncSentinelConnection(_AsyncSentinel):
    """A connection for coroutines over TCP to the master that Sentinels name."""


class AsyncTlsSentinelConnection(_AsyncSentinel, redis.asyncio.SSLConnection):
    """A connection for coroutines over TLS to the master that Sentinels name."""
