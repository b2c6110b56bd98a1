"""Redis clients that notice a dead, hung or demoted server and recover without a restart of the process.

One policy for every user: a hung server costs at most `COMMAND_TIMEOUT_SECONDS` a command and raises
`redis.TimeoutError`; a cut connection is re-opened. A timeout is never retried here: the command may have run, and
only the caller knows whether running it twice is harmless.
"""

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

#: A Redis that has not answered for this long is hung; a healthy one answers any of our scripts in milliseconds.
COMMAND_TIMEOUT_SECONDS = 5.0
#: A scrape asks a server that may hang, and must be answered within 2 s in all.
SCRAPE_TIMEOUT_SECONDS = 0.8
#: A TCP and TLS handshake inside one region takes milliseconds; packets may be lost once.
CONNECT_TIMEOUT_SECONDS = 3.0
#: A connection unused for this long is checked by a PING first, so that a silently dropped one costs no command.
HEALTH_CHECK_SECONDS = 15
#: A restart of Redis is over sooner than 3 tries with up to 1 s between them in most cases; then the caller decides.
CONNECTION_RETRIES = 3


def connect(url: str, *, retries: int = CONNECTION_RETRIES, timeout: float = COMMAND_TIMEOUT_SECONDS) -> "redis.Redis":
    """Build a client; nothing is opened before the first command. Answers are bytes.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with user, password and db.
        retries: tries after a cut connection; 0 where a command must not run twice.
        timeout: seconds a command may take.
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
    """The same for coroutines; belongs to the event loop that first uses it. Arguments as of `connect`."""
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
    # a unix socket has no peer that can vanish, and its connection class refuses the option
    return {} if url.startswith("unix://") else {"socket_keepalive": True}
