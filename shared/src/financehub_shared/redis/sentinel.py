"""Asks Sentinels for the address of the current master.

The procedure is that of https://redis.io/docs/latest/develop/reference/sentinel-clients/: the Sentinels are asked in
turn until one knows the address, and the connection then checks the role of the server. redis-py's own Sentinel client
is not used: its list of Sentinels loses entries when two threads use it at the same time, and a connection from its
pool stays open after a timeout, so that the next command reads the reply of the previous one (both in release 8.1).
"""

import ipaddress
import math
import time
from collections.abc import Sequence
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.core.redis_url import RedisUrl, join_host
from financehub_shared.core.redis_url_parser import is_host
from financehub_shared.redis.faults import is_unknown_command
from financehub_shared.redis.replies import MALFORMED_REPLY
from financehub_shared.redis.text import decode

#: A Sentinel replies from memory. While all of them are silent, a check of an open connection waits for each in turn.
TIMEOUT_SECONDS = 1.0
#: Open connections do not ask silent Sentinels for this time, because the master can serve without them. It doubles
#: each time that none of them answers.
SILENCE_SECONDS = 15.0
#: Longest time for which silent Sentinels are not asked.
LONGEST_SILENCE_SECONDS = 60.0


class NoMasterError(FinanceHubError, redis.ConnectionError):
    """No Sentinel knows a master of the service. The next attempt asks all of them again."""


class _Order:
    """The order in which the Sentinels are asked: the one that answered last comes first, unless its answer was wrong.

    Threads share it without a lock: the worst result of a race is that another Sentinel is asked first.
    """

    def __init__(self, url: RedisUrl) -> None:
        self._url = url
        self._first = 0
        self._named: tuple[str, int] | None = None
        self._silent_until = -math.inf
        self._silence = SILENCE_SECONDS

    def places(self) -> list[int]:
        """Return the positions of the Sentinels."""
        count, first = len(self._url.hosts), self._first
        return [(first + offset) % count for offset in range(count)]

    def answered(self, position: int, master: tuple[str, int]) -> None:
        """Ask this Sentinel, which named a master, first from now on."""
        self._first, self._named, self._silence = position, master, SILENCE_SECONDS

    def doubt(self, master: tuple[str, int]) -> None:
        """Ask the next Sentinel first, because the server that this one named does not serve as the master.

        Only the first of several connections that failed at the same time has an effect.
        """
        if self._named == master:
            self._first, self._named = (self._first + 1) % len(self._url.hosts), None

    @property
    def silent(self) -> bool:
        """Whether no Sentinel answered a short time ago."""
        return time.monotonic() < self._silent_until

    def no_answer(self) -> None:
        """Do not ask the Sentinels for a while, except for a new connection."""
        self._silent_until = time.monotonic() + self._silence
        self._silence = min(2 * self._silence, LONGEST_SILENCE_SECONDS)

    def error(self, problems: Sequence[str]) -> NoMasterError:
        """Return the error for a service whose master no Sentinel knows."""
        return NoMasterError(f"no Sentinel knows the master of {self._url.service!r}: {'; '.join(problems)}")


class Sentinels:
    """The Sentinels of one service, for blocking clients. It is thread-safe.

    Args:
        url: URL with the Sentinels and the service.
        timeout: Longest time for each Sentinel's connection and reply in seconds, if it is less than a second.
    """

    def __init__(self, url: RedisUrl, timeout: float) -> None:
        self._url = url
        self._order = _Order(url)
        self._clients = [
            redis.Redis(host=host, port=port, retry=Retry(NoBackoff(), 0), **_sentinel_parameters(url, timeout))
            for host, port in url.hosts
        ]

    def master(self) -> tuple[str, int]:
        """Return host and port of the master.

        Raises:
            NoMasterError: No Sentinel knows it.
        """
        problems = []
        for position in self._order.places():
            try:
                reply = self._clients[position].execute_command("SENTINEL", _QUERY, self._url.service)  # type: ignore[no-untyped-call]
                master = None if reply is None else _address(reply)
            except (redis.RedisError, *MALFORMED_REPLY) as error:
                problems.append(_problem(self._url, position, error))
                continue
            if master is not None:
                self._order.answered(position, master)
                return master
            problems.append(_problem(self._url, position, None))
        raise self._order.error(problems)

    def doubt(self, master: tuple[str, int]) -> None:
        """Begin with another Sentinel, because a connection to this server failed or it is not the master.

        Args:
            master: Host and port that `master` returned.
        """
        self._order.doubt(master)

    def known_master(self) -> tuple[str, int] | None:
        """Return host and port of the master, or None if no Sentinel knows it, or none answered a short time ago."""
        if self._order.silent:
            return None
        try:
            return self.master()
        except NoMasterError:
            self._order.no_answer()
            return None


class AsyncSentinels:
    """The Sentinels of one service, for coroutines. See `Sentinels`."""

    def __init__(self, url: RedisUrl, timeout: float) -> None:
        self._url = url
        self._order = _Order(url)
        self._clients = [
            redis.asyncio.Redis(
                host=host, port=port, retry=AsyncRetry(NoBackoff(), 0), **_sentinel_parameters(url, timeout)
            )
            for host, port in url.hosts
        ]

    async def master(self) -> tuple[str, int]:
        """Return host and port of the master.

        Raises:
            NoMasterError: No Sentinel knows it.
        """
        problems = []
        for position in self._order.places():
            try:
                reply = await self._clients[position].execute_command("SENTINEL", _QUERY, self._url.service)  # type: ignore[no-untyped-call]
                master = None if reply is None else _address(reply)
            except (redis.RedisError, *MALFORMED_REPLY) as error:
                problems.append(_problem(self._url, position, error))
                continue
            if master is not None:
                self._order.answered(position, master)
                return master
            problems.append(_problem(self._url, position, None))
        raise self._order.error(problems)

    def doubt(self, master: tuple[str, int]) -> None:
        """Begin with another Sentinel, because a connection to this server failed or it is not the master.

        Args:
            master: Host and port that `master` returned.
        """
        self._order.doubt(master)

    async def known_master(self) -> tuple[str, int] | None:
        """Return host and port of the master, or None if no Sentinel knows it, or none answered a short time ago."""
        if self._order.silent:
            return None
        try:
            return await self.master()
        except NoMasterError:
            self._order.no_answer()
            return None


_QUERY = "GET-MASTER-ADDR-BY-NAME"


def _address(reply: Any) -> tuple[str, int]:
    """Return host and port from a reply.

    Raises:
        ValueError: A Sentinel does not reply like this.
    """
    if not isinstance(reply, list) or not all(isinstance(part, bytes) for part in reply):
        raise ValueError("not a list of strings")
    host, port = map(decode, reply)
    if not is_host(host):  # Python's resolver raises other errors than OSError for it
        ipaddress.IPv6Address(host)
    if not 1 <= int(port) <= 65_535:
        raise ValueError("not a port")
    return host, int(port)


def _problem(url: RedisUrl, position: int, error: Exception | None) -> str:
    place = join_host(*url.hosts[position])
    if error is None:
        return f"{place} does not monitor it"
    if isinstance(error, MALFORMED_REPLY):
        return f"{place} sends replies that no Sentinel sends"
    if isinstance(error, redis.AuthenticationError):
        return (
            f"{place} requires a login; set REDIS_SENTINEL_PASSWORD, or add the options sentinel_username and "
            "sentinel_password to the URL"
        )
    if is_unknown_command(error):
        return f"{place} is a Redis server and not a Sentinel; use redis:// for a server without Sentinels"
    return f"{place}: {error}"


def _sentinel_parameters(url: RedisUrl, timeout: float) -> dict[str, Any]:
    return {
        "username": url.sentinel_login.username,
        "password": url.sentinel_login.password,
        "socket_timeout": min(timeout, TIMEOUT_SECONDS),
        "socket_connect_timeout": min(timeout, TIMEOUT_SECONDS),
        "ssl": url.tls is not None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        **tls_parameters(url),
    }


def tls_parameters(url: RedisUrl) -> dict[str, Any]:
    """Return redis-py's parameters for a TLS connection; empty without TLS."""
    if url.tls is None:
        return {}
    return {
        "ssl_ca_certs": url.tls.ca_certs,
        "ssl_certfile": url.tls.certfile,
        "ssl_keyfile": url.tls.keyfile,
        "ssl_cert_reqs": url.tls.cert_reqs,
        "ssl_check_hostname": url.tls.check_hostname,
    }
