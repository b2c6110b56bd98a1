"""Refuses servers that FinanceHub cannot use, when a process starts."""

from collections.abc import Iterable
from pathlib import Path

import redis

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.redis.client import connect
from financehub_shared.redis.server_check import WrongServerError

#: A process starts without Redis if it does not answer within this time.
_TIMEOUT_SECONDS = 2.0


def refuse_wrong_servers(urls: Iterable[RedisUrl]) -> None:
    """Connect to each server once.

    The process starts if a server does not answer, because it may come back. If it then turns out to be of the
    wrong kind, every error of its clients says so.

    Raises:
        ConfigError: A server is a Redis Cluster or a Sentinel, or a file of the TLS options cannot be read.
    """
    for url in set(urls):
        for option, file in _tls_files(url):
            try:
                Path(file).read_bytes()
            except OSError as error:
                raise ConfigError(f"option {option} of the Redis URL: {file}: {error.strerror}") from None
        client = connect(url, retries=0, timeout=_TIMEOUT_SECONDS)
        try:
            client.ping()
        except WrongServerError as error:
            raise ConfigError(str(error)) from None
        except redis.RedisError:
            pass  # the first use reports it
        finally:
            client.close()


def _tls_files(url: RedisUrl) -> list[tuple[str, str]]:
    if url.tls is None:
        return []
    files = {"ssl_ca_certs": url.tls.ca_certs, "ssl_certfile": url.tls.certfile, "ssl_keyfile": url.tls.keyfile}
    return [(option, file) for option, file in files.items() if file]
