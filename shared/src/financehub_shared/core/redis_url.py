"""The address of a Redis server as a value, from which every client is built. `redis_url_parser` parses it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import quote


class Scheme(StrEnum):
    """The schemes of the accepted URLs."""

    TCP = "redis"
    TLS = "rediss"
    UNIX = "unix"
    SENTINEL = "redis+sentinel"
    SENTINEL_TLS = "rediss+sentinel"


@dataclass(frozen=True, slots=True)
class Tls:
    """How TLS verifies the server and identifies this client. The paths are those of PEM files."""

    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    cert_reqs: str = "required"
    check_hostname: bool = True


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password. Both may be missing."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """The address of a Redis server, and how to log in. Its text form does not contain the password.

    Args:
        scheme: Kind of the address.
        hosts: Host and port of the server, or of each Sentinel; empty for a Unix socket.
        path: Path of the Unix socket.
        service: Name of the master that the Sentinels monitor.
        db: Number of the database.
        login: User and password of the server.
        sentinel_login: User and password of the Sentinels.
        tls: TLS parameters; None without TLS.
        written_secrets: The passwords as they are written in the URL, for the log's redaction.
    """

    scheme: Scheme
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    login: Login = Login()
    sentinel_login: Login = Login()
    tls: Tls | None = None
    written_secrets: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    @property
    def is_sentinel(self) -> bool:
        """Whether Sentinels know the address of the server."""
        return self.scheme in (Scheme.SENTINEL, Scheme.SENTINEL_TLS)

    @property
    def place(self) -> str:
        """The address for messages, such as `redis:6379`, without user, password and database."""
        if self.scheme is Scheme.UNIX:
            return self.path
        hosts = ", ".join(join_host(*host) for host in self.hosts)
        return f"the master of {self.service!r} (Sentinels: {hosts})" if self.is_sentinel else hosts

    @property
    def secrets(self) -> frozenset[str]:
        """Every password, decoded and as it is written in the URL."""
        decoded = {password for password in (self.login.password, self.sentinel_login.password) if password}
        return self.written_secrets | decoded

    def with_password(self, password: str) -> "RedisUrl":
        """Return the URL with this password of the server, unless it has one already."""
        if self.login.password:
            return self
        return replace(self, login=replace(self.login, password=password))

    def with_sentinel_password(self, password: str) -> "RedisUrl":
        """Return the URL with this password of the Sentinels, unless it has one already."""
        if self.sentinel_login.password:
            return self
        return replace(self, sentinel_login=replace(self.sentinel_login, password=password))

    def __str__(self) -> str:
        user = quote(self.login.username or "", safe="")
        userinfo = f"{user}:***@" if self.login.password else f"{user}@" if user else ""
        if self.scheme is Scheme.UNIX:
            return f"unix://{userinfo}{quote(self.path)}?db={self.db}"
        hosts = ",".join(join_host(*host) for host in self.hosts)
        service = f"{quote(self.service, safe='')}/" if self.is_sentinel else ""
        return f"{self.scheme}://{userinfo}{hosts}/{service}{self.db}"


def join_host(host: str, port: int) -> str:
    """Return a host and a port as a URL has them, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
