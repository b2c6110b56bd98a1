"""Builds Redis clients that detect a dead, hung or demoted server and recover without a process restart.

All clients follow one policy. A command to a hung server raises `redis.TimeoutError` after at most
`COMMAND_TIMEOUT_SECONDS`, and a broken connection is reopened. Timeouts are not retried here, because the command may
have run and only the caller knows whether running it twice is harmless.
"""

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

#: A Redis that has not answered for this long is hung. A healthy one answers each of FinanceHub's scripts in
#: milliseconds.
COMMAND_TIMEOUT_SECONDS = 5.0
#: A scrape queries a server that may hang, and has to end within 2 s in total.
SCRAPE_TIMEOUT_SECONDS = 0.8
#: A TCP and TLS handshake within one region takes milliseconds. The timeout allows for one lost packet.
CONNECT_TIMEOUT_SECONDS = 3.0
#: A connection that was idle for this long is checked with a PING first, so that no command fails on a dropped one.
HEALTH_CHECK_SECONDS = 15
#: Three retries with up to 1 s between them outlast most Redis restarts. After that the caller decides.
CONNECTION_RETRIES = 3


def connect(url: str, *, retries: int = CONNECTION_RETRIES, timeout: float = COMMAND_TIMEOUT_SECONDS) -> "redis.Redis":
    """Build a client that connects on its first command and returns replies as bytes.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with user, password and db.
        retries: Number of retries after a broken connection. Use 0 if a command must not run twice.
        timeout: Maximum duration of a command in seconds.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, CONNECT_TIMEOUT_SECONDS),
        health_check_interval=HEALTH_CHECK_SECONDS,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), retries, supported_errors=(redis.ConnectionError,)),
        **_keepalive(url),
    )


def connect_async(
    url: str, *, retries: int = CONNECTION_RETRIES, timeout: float = COMMAND_TIMEOUT_SECONDS
) -> "redis.asyncio.Redis":
    """Build a client for coroutines, which belongs to the event loop that uses it first. See `connect`."""
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, CONNECT_TIMEOUT_SECONDS),
        health_check_interval=HEALTH_CHECK_SECONDS,
        retry=AsyncRetry(
            ExponentialWithJitterBackoff(base=0.05, cap=1), retries, supported_errors=(redis.ConnectionError,)
        ),
        **_keepalive(url),
    )


def _keepalive(url: str) -> dict[str, bool]:
    # the peer of a unix socket cannot disappear silently, and the connection class rejects the option
    return {} if url.startswith("unix://") else {"socket_keepalive": True}
