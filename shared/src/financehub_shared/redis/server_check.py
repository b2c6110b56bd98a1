"""Decides whether a server is one that FinanceHub can use, and when an open connection has to find out again."""

import time
from collections.abc import Mapping

import redis

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.redis.address import Address
from financehub_shared.redis.faults import FAILOVER_ERRORS, is_failover
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


class ServerState:
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
