"""Finds the user of a request: by a token of a mounted file, or by a header from a trusted proxy."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings
from financehub_web.access.tokens import Role, Token, find_token, read_tokens, token_of
from financehub_web.http.networks import Network, is_in, is_loopback, read_networks

#: Longest name of a user that a proxy may send, in characters.
LONGEST_NAME = 200
#: Every user of a proxy is an operator.
EVERYONE = "*"
#: Code of the refusal of a token that no user has.
UNKNOWN_TOKEN = "unknown-token"  # noqa: S105 — a code for programs


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
class Stranger:
    """A request that has no user.

    Args:
        code: The reason for programs and the log.
        text: The reason, and what to do.
    """

    code: str
    text: str


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
        tokens: Sequence[Token] = (),
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

    @property
    def have_tokens(self) -> bool:
        """Whether a user can send a token."""
        return bool(self._tokens)

    def find(self, headers: Headers, peer: str) -> User | Stranger:
        """Return the user of a request, or why it has none.

        A proxy may forward the header `Authorization` of its own login. The header is read only if tokens are
        configured. If it contains no known token, the user whom a trusted proxy names counts.

        Args:
            headers: The headers of the request.
            peer: Address from which the connection comes.
        """
        if not self.are_required and self._anonymous:
            return self._anonymous
        by_token = self._by_token(headers) if self._tokens else None
        if isinstance(by_token, User):
            return by_token
        is_repeated = by_token is not None and by_token.code != UNKNOWN_TOKEN
        by_header = self._by_header(headers, peer) if self._header and not is_repeated else None
        return by_header or by_token or Stranger("user-required", f"this console needs a user: {self._advice()}")

    def _by_token(self, headers: Headers) -> User | Stranger | None:
        """Return the user of the token, why there is none, or None if the request has no token."""
        values = headers.getlist("Authorization")
        if len(values) > 1:
            return _repeated("Authorization")
        given = token_of(values[0]) if values else None
        if given is None:
            return None
        text, is_bearer = given
        token = find_token(self._tokens, text)
        if token is None:
            return Stranger(UNKNOWN_TOKEN, f"no user has this token: {self._advice()}")
        return User(token.name, token.role, is_bearer)

    def _by_header(self, headers: Headers, peer: str) -> User | Stranger | None:
        """Return the user whom a proxy names, why it does not count, or None if no proxy names one."""
        values = headers.getlist(self._header)
        if values in ([], [""]):
            return None
        if not is_in(peer, self._proxies):
            addresses = "the addresses of FINANCEHUB_WEB_TRUSTED_PROXIES"
            return Stranger("untrusted-proxy", f"the header {self._header} counts only from {addresses}")
        if len(values) > 1:
            return _repeated(self._header)
        name = _decoded(values[0])
        if not (name.isprintable() and 0 < len(name) <= LONGEST_NAME):
            wanted = f"a name of 1 to {LONGEST_NAME} printable characters"
            return Stranger("invalid-user-name", f"the header {self._header} needs {wanted}")
        is_operator = name in self._operators or EVERYONE in self._operators
        return User(name, Role.OPERATOR if is_operator else Role.VIEWER)

    def _advice(self) -> str:
        """Return how a request gets a user."""
        send = "send a token as bearer, or as the password of any name"
        proxy = f"open it through the proxy that sets the header {self._header}"
        return "; or ".join(text for text, is_possible in ((send, self._tokens), (proxy, self._header)) if is_possible)


def load_users(settings: Settings) -> Users:
    """Return the users of the settings.

    Raises:
        ConfigError: The tokens file or an address of a proxy is invalid, or the mode `write` is open to everybody.
    """
    tokens = read_tokens(settings.web_tokens_file) if settings.web_tokens_file else []
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


def _repeated(header: str) -> Stranger:
    return Stranger("repeated-header", f"the header {header} occurs more than once, so it is not clear who sent it")


def _decoded(value: str) -> str:
    """Return the text of a header, which is UTF-8 or, as HTTP once defined it, ISO 8859-1.

    Args:
        value: Its bytes as ISO 8859-1, as Starlette returns them.
    """
    try:
        return value.encode("latin-1").decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.strip()
