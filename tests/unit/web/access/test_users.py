"""Tests who a request comes from, and which settings are refused."""

import base64
import hashlib
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings, load_settings
from financehub_web.access.tokens import Role
from financehub_web.access.users import LONGEST_NAME, Stranger, User, Users, load_users

TOKENS = {"alice": ("operator", "token-of-alice-0123456789"), "bob": ("viewer", "token-of-bob-0123456789")}


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.yaml"
    entries = [f"- {{name: {name}, role: {role}, sha256: '{digest(token)}'}}" for name, (role, token) in TOKENS.items()]
    path.write_text("\n".join(entries), encoding="utf-8")
    return path


def settings(**values: object) -> Settings:
    return load_settings({f"FINANCEHUB_WEB_{name.upper()}": str(value) for name, value in values.items()})


def find(users: Users, peer: str, *headers: tuple[str, str | bytes]) -> User | str:
    """Return the user of a request with these headers, or the code of the reason why it has none."""
    raw = [
        (name.encode(), value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape"))
        for name, value in headers
    ]
    found = users.find(Headers(raw=raw), peer)
    return found.code if isinstance(found, Stranger) else found


def basic(password: str, name: str = "anything") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize("name", TOKENS)
def test_token_names_its_user_as_bearer_and_as_password(tokens_file: Path, name: str) -> None:
    """A token gives its user and role as bearer and as basic password, and only a bearer proves a program."""
    users = load_users(settings(tokens_file=tokens_file))
    role, token = Role(TOKENS[name][0]), TOKENS[name][1]
    assert find(users, "10.0.0.1", ("authorization", f"Bearer {token}")) == User(name, role, has_token=True)
    assert find(users, "10.0.0.1", ("authorization", f"bearer {token}")) == User(name, role, has_token=True)
    assert find(users, "10.0.0.1", ("authorization", basic(token))) == User(name, role, has_token=False)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer " + digest(TOKENS["alice"][1]),
        "Bearer \udcff",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"a:\xff").decode(),
        basic(""),
        basic("wrong", TOKENS["alice"][1]),
        "Digest " + TOKENS["alice"][1],
        TOKENS["alice"][1],
    ],
)
def test_request_without_a_valid_token_has_no_user(tokens_file: Path, header: str) -> None:
    """A missing, damaged, foreign or hashed token gives no user."""
    found = find(load_users(settings(tokens_file=tokens_file)), "127.0.0.1", ("authorization", header))
    assert found in {"user-required", "unknown-token"}


def test_user_header_counts_only_from_a_trusted_proxy() -> None:
    """The header of a proxy names the user, but not from other addresses, and a hostile name is refused."""
    users = load_users(
        settings(user_header="X-Forwarded-User", trusted_proxies="10.0.0.0/8,fd00::/8", operators="alice")
    )
    alice = ("x-forwarded-user", "alice")
    for peer in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::7"):
        assert find(users, peer, alice) == User("alice", Role.OPERATOR), peer
    assert find(users, "10.1.2.3", ("x-forwarded-user", "bob")) == User("bob", Role.VIEWER)
    for peer in ("192.0.2.1", ""):
        assert find(users, peer, alice) == "untrusted-proxy", peer
    for nothing in ((), (("x-forwarded-user", ""),)):
        assert find(users, "10.1.2.3", *nothing) == "user-required"


def behind_proxy(**values: object) -> Users:
    return load_users(settings(user_header="X-User", trusted_proxies="10.0.0.0/8", **values))


@pytest.mark.parametrize(
    "name",
    [
        "auth0|5f7c",
        "DOMAIN\\alice",
        "Alice Smith",
        "Jürgen",
        "Smith, Alice",
        "山田",
        "cn=alice,dc=example",
        "a" * LONGEST_NAME,
        "a",
    ],
)
def test_every_printable_name_of_a_proxy_is_a_user(name: str) -> None:
    """Providers of identities use many forms of names. They are UTF-8, and never shown as other characters."""
    assert find(behind_proxy(), "10.0.0.1", ("x-user", name)) == User(name, Role.VIEWER)


def test_name_in_iso_8859_1_is_a_user() -> None:
    """A proxy that does not send UTF-8 sends what HTTP once defined."""
    assert find(behind_proxy(), "10.0.0.1", ("x-user", "Jürgen".encode("latin-1"))) == User("Jürgen", Role.VIEWER)


@pytest.mark.parametrize("name", ["eve\x1b[2J", "a\u202eb", "a\tb", "a" * (LONGEST_NAME + 1), "\x00"])
def test_name_that_cannot_be_shown_is_refused(name: str) -> None:
    """Control characters and endless names would damage the audit log."""
    assert find(behind_proxy(), "10.0.0.1", ("x-user", name)) == "invalid-user-name"


@pytest.mark.parametrize("authorization", [basic("of-nginx", "alice"), "Bearer of-oauth2-proxy", "Digest x", "Basic !"])
@pytest.mark.parametrize("has_tokens", [True, False])
def test_login_of_the_proxy_does_not_hide_its_user(tokens_file: Path, authorization: str, *, has_tokens: bool) -> None:
    """Proxies forward `Authorization`. It is not a token of FinanceHub, so the header of the proxy names the user."""
    users = behind_proxy(**({"tokens_file": tokens_file} if has_tokens else {}))
    sent = ("authorization", authorization)
    assert find(users, "10.0.0.1", sent, ("x-user", "carol")) == User("carol", Role.VIEWER)
    assert find(users, "192.0.2.1", sent, ("x-user", "carol")) == "untrusted-proxy"


def test_token_comes_before_the_user_of_the_proxy(tokens_file: Path) -> None:
    """A program behind the proxy acts as the user of its token."""
    token = TOKENS["bob"][1]
    users = behind_proxy(tokens_file=tokens_file)
    found = find(users, "10.0.0.1", ("authorization", f"Bearer {token}"), ("x-user", "carol"))
    assert found == User("bob", Role.VIEWER, has_token=True)


@pytest.mark.parametrize("values", [("alice", "bob"), ("alice", "alice"), ("", "alice"), ("alice", "")])
def test_repeated_user_header_is_refused(values: tuple[str, str]) -> None:
    """If a client's own header reaches the console with that of the proxy, neither of them is taken."""
    headers = [("x-user", value) for value in values]
    assert find(behind_proxy(operators="*"), "10.0.0.1", *headers) == "repeated-header"


def test_repeated_authorization_is_refused(tokens_file: Path) -> None:
    """Two tokens are never one user, and the header of a proxy does not change this."""
    sent = [("authorization", f"Bearer {token}") for _, token in TOKENS.values()]
    users = behind_proxy(tokens_file=tokens_file)
    assert find(users, "10.0.0.1", *sent) == "repeated-header"
    assert find(users, "10.0.0.1", *sent, ("x-user", "carol")) == "repeated-header"


def test_everybody_is_the_anonymous_user_if_no_users_are_configured() -> None:
    """Without tokens and header, everybody may read, and may write on loopback in the mode `write`."""
    assert find(load_users(settings()), "192.0.2.1") == User("anonymous", Role.VIEWER)
    users = load_users(settings(mode="write", host="localhost"))
    assert find(users, "127.0.0.1") == User("anonymous", Role.OPERATOR)


@pytest.mark.parametrize("host", ["::", "192.0.2.1", "example.com", "localhost.example.com"])
def test_write_mode_without_users_is_refused_unless_on_loopback(host: str) -> None:
    """The mode `write` is closed by default: the error says which settings open it."""
    with pytest.raises(ConfigError, match="FINANCEHUB_WEB_TOKENS_FILE or FINANCEHUB_WEB_USER_HEADER"):
        load_users(settings(mode="write", host=host))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.5.5.5", "::1", "[::1]", "LOCALHOST."])
def test_write_mode_on_loopback_needs_no_users(host: str) -> None:
    """A laptop needs no tokens."""
    load_users(settings(mode="write", host=host))


def test_user_header_without_proxies_is_refused() -> None:
    """A header that everybody could set is refused."""
    with pytest.raises(ConfigError, match="FINANCEHUB_WEB_TRUSTED_PROXIES"):
        load_users(settings(user_header="X-User"))


@pytest.mark.parametrize("proxy", ["example.com", "10.0.0.0/40", "10.0.0.1/8", "10.0.0"])
def test_invalid_proxy_is_refused(proxy: str) -> None:
    """A proxy is an address or a network without host bits."""
    with pytest.raises(ConfigError, match="FINANCEHUB_WEB_TRUSTED_PROXIES"):
        load_users(settings(user_header="X-User", trusted_proxies=proxy))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "write a list"),
        ("{}", "write a list"),
        ("- a", "entry 1"),
        ("- {name: a, role: operator}", "exactly the keys"),
        (f"- {{name: a, role: admin, sha256: '{digest('x')}'}}", "use viewer or operator"),
        (f"- {{name: 'a b', role: viewer, sha256: '{digest('x')}'}}", "name: use letters"),
        ("- {name: a, role: viewer, sha256: secret}", "64 hexadecimal digits"),
        (f"- {{name: a, role: viewer, sha256: {'1' * 64}}}", "64 hexadecimal digits"),
        (
            "\n".join(f"- {{name: a, role: viewer, sha256: '{digest(token)}'}}" for token in "xy"),
            "entry 2: the name a or its token occurs twice",
        ),
        ("- {name: [", "not valid YAML in line"),
    ],
)
def test_invalid_tokens_file_is_refused_without_showing_hashes(tmp_path: Path, text: str, problem: str) -> None:
    """The error names the file, the entry and what to write, and never a hash or a token."""
    path = tmp_path / "tokens.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as raised:
        load_users(settings(tokens_file=path))
    assert "secret" not in str(raised.value).replace(str(path), "")
    assert digest("x") not in str(raised.value)


def test_missing_tokens_file_is_refused(tmp_path: Path) -> None:
    """A file that is not mounted never means that everybody may enter."""
    with pytest.raises(ConfigError, match="cannot be read: FileNotFoundError"):
        load_users(settings(tokens_file=tmp_path / "missing"))
