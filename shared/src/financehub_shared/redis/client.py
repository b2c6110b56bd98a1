"""Builds Redis clients that detect a dead, hung or demoted server and recover without a process restart.

All clients follow one policy. A command to a hung server raises `redis.TimeoutError` after at most
`COMMAND_TIMEOUT_SECONDS`. A broken connection is reopened, and so is one to a server that is no longer the master,
which looks the address up again (`connections`). Timeouts are not retried here, because the command may have run and
only the caller knows whether running it twice is harmless.
"""

from typing import Any

import redis
import redis.asyncio
from redis.maint_notifications import MaintNotificationsConfig

from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.redis_url_parser import parse_redis_url
from financehub_shared.redis.address import address_of
from financehub_shared.redis.connections import (
    MasterConnection,
    SentinelConnection,
    TlsMasterConnection,
    TlsSentinelConnection,
    UnixMasterConnection,
)
from financehub_shared.redis.retry import Retry
from financehub_shared.redis.sentinel import Sentinels, tls_parameters

#: A Redis that has not answered for this long is hung. A healthy one answers each of FinanceHub's scripts in
#: milliseconds.
COMMAND_TIMEOUT_SECONDS = 5.0
#: A scrape queries a server that may hang, and has to end within 2 s in total.
SCRAPE_TIMEOUT_SECONDS = 0.8
#: A TCP and TLS handshake within one region takes milliseconds. The timeout allows for one lost packet.
CONNECT_TIMEOUT_SECONDS = 3.0
#: Three retries with up to 1 s between them outlast most Redis restarts. After that the caller decides.
CONNECTION_RETRIES = 3
#: Every thread of a process may use a connection at the same time, so a pool must not run out before Redis does.
MOST_CONNECTIONS = 100_000


def connect(
    url: RedisUrl | str, *, retries: int = CONNECTION_RETRIES, timeout: float = COMMAND_TIMEOUT_SECONDS
) -> "redis.Redis":
    """Build a client that connects on its first command and returns replies as bytes.

    Args:
        url: The server, its user, password and database.
        retries: Number of retries after a broken connection. Use 0 if a command must not run twice.
        timeout: Maximum duration of a command in seconds.

    Raises:
        RedisUrlError: The text is not a valid URL.
    """
    url = parse_redis_url(url) if isinstance(url, str) else url
    parameters = _parameters(url, timeout) | {"retry": Retry(retries)}
    if url.is_sentinel:
        parameters["sentinels"] = Sentinels(url, min(timeout, CONNECT_TIMEOUT_SECONDS))
        kind: type[Any] = TlsSentinelConnection if url.tls else SentinelConnection
    else:
        kind = UnixMasterConnection if url.path else TlsMasterConnection if url.tls else MasterConnection
    return redis.Redis.from_pool(redis.ConnectionPool(connection_class=kind, **parameters))


def connect_async(
    url: RedisUrl | str, *, retries: int = CONNECTION_RETRIES, timeout: float = COMMAND_TIMEOUT_SECONDS
) -> "redis.asyncio.Redis":
    """Build a client for coroutines, which belongs to the event loop that uses it first. See `connect`."""
    # only the web process has coroutines
    from financehub_shared.redis.async_connections import (
        AsyncMasterConnection,
        AsyncSentinelConnection,
        AsyncTlsMasterConnection,
        AsyncTlsSentinelConnection,
        AsyncUnixMasterConnection,
    )
    from financehub_shared.redis.retry import AsyncRetry
    from financehub_shared.redis.sentinel import AsyncSentinels

    url = parse_redis_url(url) if isinstance(url, str) else url
    parameters = _parameters(url, timeout) | {"retry": AsyncRetry(retries)}
    if url.is_sentinel:
        parameters["sentinels"] = AsyncSentinels(url, min(timeout, CONNECT_TIMEOUT_SECONDS))
        kind: type[Any] = AsyncTlsSentinelConnection if url.tls else AsyncSentinelConnection
    else:
        kind = AsyncUnixMasterConnection if url.path else AsyncTlsMasterConnection if url.tls else AsyncMasterConnection
    return redis.asyncio.Redis.from_pool(redis.asyncio.ConnectionPool(connection_class=kind, **parameters))


def _parameters(url: RedisUrl, timeout: float) -> dict[str, Any]:
    """Return the parameters of a connection that do not depend on whether it blocks."""
    parameters: dict[str, Any] = {
        "address": address_of(url),
        "db": url.db,
        "username": url.login.username,
        "password": url.login.password,
        "socket_timeout": timeout,
        "socket_connect_timeout": min(timeout, CONNECT_TIMEOUT_SECONDS),
        # Connections check their server with HELLO. A Redis whose disk is full refuses redis-py's PING like a write,
        # and would then refuse every read of an idle connection.
        "health_check_interval": 0,
        "max_connections": MOST_CONNECTIONS,
        # redis-py would name itself with CLIENT SETINFO, which the ACL would have to allow and Redis 7.0 does not know
        "driver_info": None,
        # redis-py would ask each server to announce its maintenance, which only Redis Enterprise does, and would no
        # longer check whether a connection has an unread reply
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if url.path:
        return parameters | {"path": url.path}
    if not url.is_sentinel:
        parameters |= dict(zip(("host", "port"), url.hosts[0], strict=True))
    return parameters | tls_parameters(url)
