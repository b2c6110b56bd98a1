"""Users and their roles: tokens from a mounted file, or a header from a trusted proxy."""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings

_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[\w.@+-]{1,100}")
#: Every user of a proxy is an operator.
EVERYONE = "*"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Role(StrEnum):
    """What a user may do. An operator may do everything that a viewer may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class User:
    """The user who sent a request.

    Args:
        name: Name for the audit log.
        role: What the user may do.
        has_token: Whether the request contains a bearer token, which a browser never adds to a forged request.
    """

    name: str
    role: Role
    has_token: bool = False


@dataclass(frozen=True, slots=True)
class _Token:
    name: str
    role: Role
    sha256: str


class Users:
    """Finds the user of a request.

    Args:
        tokens: The users of the tokens file.
        header: Name of the header in which a proxy names the user; empty for none.
        proxies: Networks of the proxies whose header counts.
        operators: Users of the proxy who are operators; the others are viewers.
        anonymous: The user of every request if neither tokens nor a header are configured.
    """

    def __init__(
        self,
        tokens: Sequence[_Token] = (),
        header: str = "",
        proxies: Sequence[Network] = (),
        operators: Sequence[str] = (),
        anonymous: User | None = None,
    ) -> None:
        self._tokens = tokens
        self._header = header
        self._proxies = proxies
        self._operators = operators
        self._anonymous = anonymous

    @property
    def are_required(self) -> bool:
        """Whether a request needs a user, because tokens or a header are configured."""
        return bool(self._tokens or self._header)

    def find(self, headers: Mapping[str, str], peer: str) -> User | None:
        """Return the user of a request, or None if it has no valid token and no trusted header.

        Args:
            headers: The headers of the request, in any case.
            peer: Address from which the connection comes.
        """
        if not self.are_required:
            return self._anonymous
        kind, _, credentials = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._of_token(credentials.strip(), has_token=True)
        if kind.lower() == "basic":
            return self._of_token(_basic_password(credentials), has_token=False)
        if self._header and is_in(peer, self._proxies):
            name = headers.get(self._header.lower(), "").strip()
            if _NAME.fullmatch(name):
                is_operator = name in self._operators or EVERYONE in self._operators
                return User(name, Role.OPERATOR if is_operator else Role.VIEWER)
        return None

    def _of_token(self, token: str, *, has_token: bool) -> User | None:
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        # Every hash is compared in constant time, so that the duration does not tell how close a guess is.
        found = [each for each in self._tokens if hmac.compare_digest(each.sha256, given)]
        return User(found[0].name, found[0].role, has_token) if token and found else None


def load_users(settings: Settings) -> Users:
    """Return the users of the settings.

    Raises:
        ConfigError: The tokens file or an address of a proxy is invalid, or the mode `write` is open to everybody.
    """
    tokens = _read_tokens(settings.web_tokens_file) if settings.web_tokens_file else []
    if settings.web_user_header and not settings.web_trusted_proxies:
        raise ConfigError(
            f"FINANCEHUB_WEB_USER_HEADER={settings.web_user_header}: set FINANCEHUB_WEB_TRUSTED_PROXIES to the "
            "addresses of the proxies that set this header, because anybody else could set it too"
        )
    is_write = settings.web_mode == "write"
    anonymous = User("anonymous", Role.OPERATOR if is_write else Role.VIEWER)
    users = Users(tokens, settings.web_user_header, read_networks(settings), settings.web_operators, anonymous)
    if is_write and not users.are_required and not is_loopback(settings.web_host):
        raise ConfigError(
            f"FINANCEHUB_WEB_MODE=write: on FINANCEHUB_WEB_HOST={settings.web_host} everybody who reaches it could "
            "trigger runs and delete messages; set FINANCEHUB_WEB_TOKENS_FILE or FINANCEHUB_WEB_USER_HEADER, or "
            "listen on localhost"
        )
    return users


def read_networks(settings: Settings) -> list[Network]:
    """Return the networks of the trusted proxies.

    Raises:
        ConfigError: One of them is neither an address nor a network.
    """
    networks: list[Network] = []
    for text in settings.web_trusted_proxies:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise ConfigError(
                f"FINANCEHUB_WEB_TRUSTED_PROXIES: {text!r} is not an address or network such as 10.0.0.0/8 ({error})"
            ) from None
    return networks


def is_in(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks. An IPv4 address may be written as IPv6 (`::ffff:10.0.0.1`)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return any((mapped or parsed) in network for network in networks)


def is_loopback(host: str) -> bool:
    """Whether a server that listens on this host is reachable only from this machine."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"


def _basic_password(credentials: str) -> str:
    try:
        _, _, password = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return ""
    return password


def _read_tokens(path: Path) -> list[_Token]:
    """Return the users of a tokens file: a YAML list of {name, role, sha256}.

    Raises:
        ConfigError: The file cannot be read, or an entry is invalid. The error names the entry, but no hash.
    """
    variable = f"FINANCEHUB_WEB_TOKENS_FILE={str(path)!r}"
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{variable}: cannot be read: {type(error).__name__}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{variable}: not valid YAML{place}") from None
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{variable}: write a list of entries with the keys name, role and sha256")
    tokens: list[_Token] = []
    for number, entry in enumerate(entries, 1):
        problem = _entry_problem(entry, tokens)
        if problem:
            raise ConfigError(f"{variable}: entry {number}: {problem}")
        tokens.append(_Token(entry["name"], Role(entry["role"]), entry["sha256"].lower()))
    return tokens


def _entry_problem(entry: object, others: Sequence[_Token]) -> str:
    """Return what is wrong with an entry; empty if it is valid."""
    if not isinstance(entry, dict) or set(entry) != {"name", "role", "sha256"}:
        return "it needs exactly the keys name, role and sha256"
    name, role, digest = entry["name"], entry["role"], entry["sha256"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "name: use letters, digits and . @ + - _, such as alice"
    if role not in list(Role):
        return f"role: {role!r} is not valid; use viewer or operator"
    if not isinstance(digest, str) or not _HASH.fullmatch(digest.lower()):
        return "sha256: write the SHA-256 hash of the token as 64 hexadecimal digits in quotes"
    if any(other.name == name or other.sha256 == digest.lower() for other in others):
        return f"the name {name} or its token occurs twice"
    return ""
