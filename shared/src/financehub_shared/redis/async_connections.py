"""Connections for coroutines that only a master may serve. They do the same as those in `connections`."""

import asyncio
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.connection import UnixDomainSocketConnection as AsyncUnixDomainSocketConnection

from financehub_shared.redis.address import Address
from financehub_shared.redis.replies import MALFORMED_REPLY
from financehub_shared.redis.sentinel import AsyncSentinels, NoMasterError
from financehub_shared.redis.server_check import NotMasterError, NotRedisError, ServerState, check_server


class _Async(redis.asyncio.connection.AbstractConnection):
    def __init__(self, *, address: Address, **parameters: Any) -> None:
        self._state = ServerState(address)
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

    async def connect(self) -> None:
        """Open the connection, unless it is open and its server is still the master."""
        # a former master that is cut off from the Sentinels does not know yet that it is one
        if self.is_connected and self._state.address.needs_question():
            await self._ask()
        await super().connect()

    async def connect_check_health(self, *args: Any, **parameters: Any) -> None:
        """Open the connection. If the named server fails, the next attempt begins with another Sentinel."""
        try:
            await super().connect_check_health(*args, **parameters)
        except NoMasterError:
            raise
        except redis.RedisError:
            self._sentinels.doubt((self.host, self.port))
            raise

    async def _look_up(self) -> None:
        self.host, self.port = await self._sentinels.master()

    async def _ask(self) -> None:
        """Look the address up again if the Sentinels name another server than this connection has."""
        if await self._sentinels.known_master() not in (None, (self.host, self.port)):
            self._state.address.look_up_again(self._state.lookups)


class AsyncSentinelConnection(_AsyncSentinel):
    """A connection for coroutines over TCP to the master that Sentinels name."""


class AsyncTlsSentinelConnection(_AsyncSentinel, redis.asyncio.SSLConnection):
    """A connection for coroutines over TLS to the master that Sentinels name."""
