"""Parses the URL of a Redis server once, at the start of a process.

The forms are `redis://`, `rediss://` (TLS), `unix://`, `redis+sentinel://` and `rediss+sentinel://` (TLS to Sentinels
and servers). docs/redis.md describes them. A URL that this module accepts can be connected to. For any other URL, one
line says what to write. No message repeats a part of the URL that can belong to a password, not even if the password
contains an unescaped `/`, `?`, `#` or `@`, which moves the parts of the URL.
"""

import ipaddress
import re
from dataclasses import replace
from urllib.parse import unquote

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.redis_url import Login, RedisUrl, Scheme, Tls

REDIS_PORT = 6379
SENTINEL_PORT = 26379
#: Redis reads the number of a database as a C int.
LARGEST_DATABASE = 2**31 - 1
#: `sun_path` of Linux has 108 bytes, and the last one is zero.
LONGEST_SOCKET_PATH = 107
FORMS = (
    "redis://[user:password@]host[:port][/db], rediss://… for TLS, unix://[user:password@]/path/to/socket[?db=N] or "
    "redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/db]"
)
ESCAPES = "in a user or password, write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25"

_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
#: Options of redis-py that somebody may expect to work. A refusal shows no other name, because a password with an
#: unescaped question mark makes a part of itself the name of an option.
_REDIS_PY_OPTIONS = (
    *_TLS_OPTIONS,
    *_SENTINEL_OPTIONS,
    *("ssl_ca_path", "ssl_ca_data", "ssl_password", "ssl_ciphers", "ssl_min_version", "ssl_validate_ocsp"),
    *("ssl_validate_ocsp_stapled", "ssl_ocsp_context", "ssl_ocsp_expected_cert", "ssl_include_verify_flags"),
    *("ssl_exclude_verify_flags", "socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_read_size"),
    *("timeout", "max_connections", "health_check_interval", "retry_on_timeout", "retry_on_error", "client_name"),
    *("protocol", "legacy_responses", "decode_responses", "encoding", "encoding_errors"),
)
_HOST_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_CERT_REQS = ("required", "optional", "none")


class RedisUrlError(ConfigError):
    """The text is not the URL of a Redis server that FinanceHub can connect to."""


def redis_address(host: str, port: int, db: int) -> RedisUrl:
    """Return the URL of a server without TLS.

    Args:
        host: Host name, IPv4 address or IPv6 address, with or without brackets.
        port: TCP port.
        db: Number of the database.

    Raises:
        RedisUrlError: The host is invalid.
    """
    if "://" in host:
        raise RedisUrlError("should be a host name or an IP address; set REDIS_URL to connect to a URL")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if _is_ipv6(bare):
        return RedisUrl(Scheme.TCP, ((bare, port),), db=db)
    if ":" in host:
        raise RedisUrlError("should be a host name or an IP address without a port; REDIS_PORT sets the port")
    if not is_host(host):
        raise RedisUrlError("should be a host name or an IP address, such as redis.example.com, 10.0.0.5 or ::1")
    return RedisUrl(Scheme.TCP, ((host, port),), db=db)


def parse_redis_url(text: str) -> RedisUrl:
    """Parse a URL.

    Raises:
        RedisUrlError: The URL is invalid. The message does not contain any part of a password.
    """
    scheme, rest = _split_scheme(text)
    # RFC 3986 section 3.2: the authority ends at the first slash, question mark or number sign
    end = min((rest.index(mark) for mark in "/?#" if mark in rest), default=len(rest))
    authority, rest = rest[:end], rest[end:]
    # an @ after the authority is probably the one that ends the userinfo, behind a password with an unescaped mark
    hint = f"; {ESCAPES}" if "@" in rest and "@" not in authority else ""
    if "#" in rest:
        raise RedisUrlError(f"contains #, which a Redis URL cannot contain; {ESCAPES}")
    path, _, query = rest.partition("?")
    if "@" in path:
        raise RedisUrlError(f"contains an @ in the path, or a / in the user or password; {ESCAPES}")
    if authority.count("@") > 1:
        raise RedisUrlError(f"contains more than one @ before the path; {ESCAPES}")
    userinfo, _, place = authority.rpartition("@")
    login, written = _parse_userinfo(userinfo)
    # the name of an unknown option may be a part of the password, if an @ follows it
    options = _parse_options(query, "?" in rest, scheme, names_are_safe="@" not in rest)
    sentinel_login = Login(
        unquote(options["sentinel_username"]) if "sentinel_username" in options else None,
        unquote(options["sentinel_password"]) if "sentinel_password" in options else None,
    )
    url = RedisUrl(
        scheme,
        login=login,
        sentinel_login=sentinel_login,
        tls=_parse_tls(options) if scheme in (Scheme.TLS, Scheme.SENTINEL_TLS) else None,
        written_secrets=frozenset({written, options.get("sentinel_password", "")} - {""}),
    )
    try:
        return _with_address(url, place, path, options)
    except RedisUrlError as error:
        raise RedisUrlError(f"{error}{hint}") from None


def _split_scheme(text: str) -> tuple[Scheme, str]:
    if text != text.strip():
        raise RedisUrlError("begins or ends with a space or a line break; remove it")
    for position, letter in enumerate(text, 1):
        if not letter.isascii() or not letter.isprintable() or letter == " ":
            raise RedisUrlError(
                f"character {position} is not allowed in a URL; percent-encode spaces, control characters and letters "
                "that are not ASCII in a user or password, and write an international host name in its xn-- form"
            )
    name, separator, rest = text.partition("://")
    if not separator:
        raise RedisUrlError(f"should be a URL: {FORMS}")
    try:
        return Scheme(name), rest
    except ValueError:
        pass
    if name.lower() in set(Scheme):
        raise RedisUrlError(f"the scheme should be in lower case: {name.lower()}://")
    if "cluster" in name.lower():
        raise RedisUrlError(f"Redis Cluster is not supported, because scripts use keys of several slots; use {FORMS}")
    if "sentinel" in name.lower():
        raise RedisUrlError("the scheme for Sentinel is redis+sentinel://, or rediss+sentinel:// with TLS")
    raise RedisUrlError(f"should be a URL of Redis: {FORMS}")


def _parse_userinfo(userinfo: str) -> tuple[Login, str]:
    """Return user and password, and the password as it is written."""
    user, _, password = userinfo.partition(":")
    return Login(_decode(user, "the user") or None, _decode(password, "the password") or None), password


def _decode(text: str, what: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise RedisUrlError(f"{what} contains a % that is not followed by two hexadecimal digits; write % as %25")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise RedisUrlError(f"{what} contains percent-encoded bytes that are not UTF-8") from None


def _parse_options(query: str, present: bool, scheme: Scheme, *, names_are_safe: bool) -> dict[str, str]:
    """Return name → value of each option, with values as they are written."""
    known = ["db"]
    if scheme in (Scheme.TLS, Scheme.SENTINEL_TLS):
        known += _TLS_OPTIONS
    if scheme in (Scheme.SENTINEL, Scheme.SENTINEL_TLS):
        known += _SENTINEL_OPTIONS
    options: dict[str, str] = {}
    for part in query.split("&") if present else []:
        name, sign, value = part.partition("=")
        if name not in known:
            shown = f" {name}" if names_are_safe and name in _REDIS_PY_OPTIONS else ""
            secure = " with rediss://" if name in _TLS_OPTIONS else ""
            hint = "" if shown else f"; {ESCAPES}"
            raise RedisUrlError(f"the option{shown} is not known{_only(secure)}; options are {', '.join(known)}{hint}")
        if not sign or not value:
            raise RedisUrlError(f"the option {name} has no value")
        if name in options:
            raise RedisUrlError(f"the option {name} is given twice")
        if "\0" in _decode(value, f"the option {name}"):
            raise RedisUrlError(f"the option {name} contains a zero byte")
        options[name] = value
    return options


def _only(secure: str) -> str:
    return f" without TLS; it is only for URLs that begin{secure} or rediss+sentinel://" if secure else ""


def _parse_tls(options: dict[str, str]) -> Tls:
    files = {
        name: unquote(options[f"ssl_{name}"])
        for name in ("ca_certs", "certfile", "keyfile")
        if f"ssl_{name}" in options
    }
    cert_reqs = options.get("ssl_cert_reqs", "required")
    if cert_reqs not in _CERT_REQS:
        raise RedisUrlError(f"the option ssl_cert_reqs should be {', '.join(_CERT_REQS[:-1])} or {_CERT_REQS[-1]}")
    check_hostname = options.get("ssl_check_hostname", "true").lower()
    if check_hostname not in _TRUTHS:
        raise RedisUrlError("the option ssl_check_hostname should be true or false")
    if "keyfile" in files and "certfile" not in files:
        raise RedisUrlError("the option ssl_keyfile needs ssl_certfile")
    return Tls(**files, cert_reqs=cert_reqs, check_hostname=_TRUTHS[check_hostname])


def _with_address(url: RedisUrl, place: str, path: str, options: dict[str, str]) -> RedisUrl:
    if url.scheme is Scheme.UNIX:
        return replace(url, path=_parse_socket_path(place, path), db=_parse_db("", options))
    if url.is_sentinel:
        hosts = tuple(_parse_host(part, SENTINEL_PORT) for part in place.split(","))
        if len(set(hosts)) < len(hosts):
            raise RedisUrlError("names the same Sentinel twice")
        service, _, db = path.removeprefix("/").partition("/")
        name = _decode(service, "the name of the service")
        if not name:
            raise RedisUrlError("the name of the service that the Sentinels monitor is missing: …/mymaster/0")
        if not name.isprintable() or " " in name:
            raise RedisUrlError("the name of the service contains a space or a control character")
        return replace(url, hosts=hosts, service=name, db=_parse_db(db, options))
    if "," in place:
        raise RedisUrlError(f"{url.scheme}:// takes one host; the scheme for several Sentinels is redis+sentinel://")
    return replace(url, hosts=(_parse_host(place, REDIS_PORT),), db=_parse_db(path.removeprefix("/"), options))


def _parse_socket_path(place: str, path: str) -> str:
    if place:
        raise RedisUrlError(
            "the path of the socket should be absolute, which takes three slashes: unix:///run/redis.sock"
        )
    decoded = _decode(path, "the path")
    if len(decoded) < 2:
        raise RedisUrlError("the path of the socket is missing: unix:///run/redis.sock")
    if "\0" in decoded or len(decoded.encode()) > LONGEST_SOCKET_PATH:
        raise RedisUrlError(
            f"the path of the socket is longer than {LONGEST_SOCKET_PATH} bytes or contains a zero byte"
        )
    return decoded


def _parse_host(text: str, default_port: int) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, after = text[1:].partition("]")
        if not bracket or not _is_ipv6(host) or (after and not after.startswith(":")):
            raise RedisUrlError(f"the address in brackets should be an IPv6 address, as in [::1]:{default_port}")
        separator, port = after[:1], after[1:]
    else:
        host, separator, port = text.partition(":")
        if ":" in port:
            raise RedisUrlError(f"the host contains several colons; write an IPv6 address as [::1]:{default_port}")
        if not host:
            raise RedisUrlError("the host is missing")
        if not is_host(host):
            raise RedisUrlError("the host is neither a host name nor an IP address")
    if not separator:
        return host, default_port
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65_535:
        raise RedisUrlError("the port should be a number from 1 to 65535")
    return host, int(port)


def _parse_db(path: str, options: dict[str, str]) -> int:
    if path and "db" in options:
        raise RedisUrlError("the database is given twice, in the path and as an option")
    text = path or options.get("db", "0")
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LARGEST_DATABASE:
        raise RedisUrlError("the database should be a number, such as 0")
    return int(text)


def _is_ipv6(text: str) -> bool:
    try:
        return ":" in text and "%" not in text and bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def is_host(text: str) -> bool:
    """Whether a name can be looked up: longer names and labels make Python's resolver raise a UnicodeError."""
    labels = text.removesuffix(".").split(".")
    return len(text) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in labels)
