"""Tests who a request comes from, and which settings are refused."""

import base64
import hashlib
from pathlib import Path

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings, load_settings
from financehub_web.access.users import Role, User, load_users

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


def basic(password: str, name: str = "anything") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize("name", TOKENS)
def test_token_names_its_user_as_bearer_and_as_password(tokens_file: Path, name: str) -> None:
    """A token gives its user and role as bearer and as basic password, and only a bearer proves a program."""
    users = load_users(settings(tokens_file=tokens_file))
    role, token = Role(TOKENS[name][0]), TOKENS[name][1]
    assert users.find({"authorization": f"Bearer {token}"}, "10.0.0.1") == User(name, role, has_token=True)
    assert users.find({"authorization": f"bearer {token}"}, "10.0.0.1") == User(name, role, has_token=True)
    assert users.find({"authorization": basic(token)}, "10.0.0.1") == User(name, role, has_token=False)


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
    assert load_users(settings(tokens_file=tokens_file)).find({"authorization": header}, "127.0.0.1") is None


def test_user_header_counts_only_from_a_trusted_proxy() -> None:
    """The header of a proxy names the user, but not from other addresses, and a hostile name is refused."""
    users = load_users(
        settings(user_header="X-Forwarded-User", trusted_proxies="10.0.0.0/8,fd00::/8", operators="alice")
    )
    headers = {"x-forwarded-user": "alice"}
    assert users.find(headers, "10.1.2.3") == User("alice", Role.OPERATOR)
    assert users.find(headers, "::ffff:10.1.2.3") == User("alice", Role.OPERATOR)
    assert users.find(headers, "fd00::7") == User("alice", Role.OPERATOR)
    assert users.find({"x-forwarded-user": "bob"}, "10.1.2.3") == User("bob", Role.VIEWER)
    assert users.find(headers, "192.0.2.1") is None
    assert users.find(headers, "") is None
    assert users.find({"x-forwarded-user": "eve\x1b[2J"}, "10.1.2.3") is None
    assert users.find({}, "10.1.2.3") is None


def test_everybody_is_the_anonymous_user_if_no_users_are_configured() -> None:
    """Without tokens and header, everybody may read, and may write on loopback in the mode `write`."""
    assert load_users(settings()).find({}, "192.0.2.1") == User("anonymous", Role.VIEWER)
    users = load_users(settings(mode="write", host="localhost"))
    assert users.find({}, "127.0.0.1") == User("anonymous", Role.OPERATOR)


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
