"""A connection of redis-py whose commands travel through the simulated network."""

from collections import deque
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection

from financehub_shared.redis.retry import AsyncRetry

if TYPE_CHECKING:
    from simulation.network import Command, Network


class SimConnection(AbstractConnection):
    """Sends commands to the network, and waits for what the network delivers: the replies, or an error."""

    def __init__(self, *, network: "Network", process: Any, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._network, self._process = network, process
        self._is_open = False
        self._command: Command | None = None
        self._replies: deque[Any] = deque()

    def repr_pieces(self) -> list[Any]:
        return []

    @property
    def is_connected(self) -> bool:
        return self._is_open

    async def connect(self) -> None:
        self._is_open = True

    async def disconnect(self, *args: Any, **parameters: Any) -> None:
        self._is_open, self._command = False, None
        self._replies.clear()

    async def can_read(self, *args: Any, **parameters: Any) -> bool:
        return bool(self._replies or self._command)

    def pack_command(self, *args: Any) -> list[Any]:
        encode = self.encoder.encode
        return [[*str(args[0]).encode().split(), *map(encode, args[1:])]]

    def pack_commands(self, commands: Any) -> list[Any]:
        return [request for command in commands for request in self.pack_command(*command)]

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        self._is_open = True
        self._command = self._network.send(self._process, command)

    async def read_response(self, *args: Any, **parameters: Any) -> Any:
        if not self._replies:
            assert self._command is not None, "there is no command whose reply could be read"
            try:
                self._replies.extend(await self._command.answer)
            except redis.RedisError:
                await self.disconnect()
                raise
            self._command = None
        reply = self._replies.popleft()
        if isinstance(reply, redis.ResponseError):
            raise reply
        return reply

    def _host_error(self) -> str:
        return "simulated Redis"

    async def _connect(self) -> None:
        """Nothing: the network decides what happens to each command."""


def connect(network: "Network", process: Any) -> "redis.asyncio.Redis":
    """Return a client with the same policy as `connect_async(url, retries=1)`."""
    pool = redis.asyncio.ConnectionPool(
        connection_class=SimConnection, network=network, process=process, retry=AsyncRetry(1), driver_info=None
    )
    return redis.asyncio.Redis.from_pool(pool)
