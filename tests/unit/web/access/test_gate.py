"""Tests which requests the gate lets through: role × mode × method × origin."""

import hashlib
import itertools
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.settings import load_settings
from financehub_web.access.gate import WRONG_TOKENS, Gate
from financehub_web.access.hosts import HostFilter, allowed_hosts, host_name
from financehub_web.access.users import load_users
from financehub_web.http.networks import read_networks

UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "TRACE", "UNKNOWN")
SAFE = ("GET", "HEAD", "OPTIONS")
#: Name → headers with which a request says where it comes from, and whether a browser of the same site sends them.
ORIGINS: dict[str, tuple[dict[str, str], bool]] = {
    "same-origin": ({"Sec-Fetch-Site": "same-origin"}, True),
    "same-site": ({"Sec-Fetch-Site": "same-site"}, False),
    "cross-site": ({"Sec-Fetch-Site": "cross-site"}, False),
    "typed": ({"Sec-Fetch-Site": "none"}, False),
    "cross-site with own origin": ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, False),
    "own origin": ({"Origin": "http://testserver"}, True),
    "foreign origin": ({"Origin": "http://evil.example"}, False),
    "origin with own name as user": ({"Origin": "http://testserver@evil.example"}, False),
    "null origin": ({"Origin": "null"}, False),
    "empty origin": ({"Origin": ""}, False),
    "damaged origin": ({"Origin": "http://["}, False),
    "origin with a damaged port": ({"Origin": "http://testserver:x"}, False),
}
TOKEN = {role: f"the-token-of-the-{role}-0123456789" for role in ("viewer", "operator")}


async def _name_user(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.state.user.name)


def client(
    tmp_path: Path, mode: str, *, tokens: bool = True, clock: ManualClock | None = None, **values: str
) -> TestClient:
    """Return a client of a gate in front of an application that names the user for every method and path."""
    settings = {"FINANCEHUB_WEB_MODE": mode, "FINANCEHUB_WEB_HOST": "localhost"}
    settings |= {f"FINANCEHUB_WEB_{name.upper()}": value for name, value in values.items()}
    if tokens:
        file = tmp_path / "tokens.yaml"
        entries = [
            f"- {{name: {role}, role: {role}, sha256: '{hashlib.sha256(token.encode()).hexdigest()}'}}"
            for role, token in TOKEN.items()
        ]
        file.write_text("\n".join(entries), encoding="utf-8")
        settings["FINANCEHUB_WEB_TOKENS_FILE"] = str(file)
    loaded = load_settings(settings)
    app = Starlette(routes=[Route("/{path:path}", _name_user, methods=[*UNSAFE, *SAFE])])
    gate = Gate(
        app,
        load_users(loaded),
        is_writable=mode == "write",
        proxies=read_networks(loaded),
        monotonic=(clock or ManualClock()).monotonic,
    )
    return TestClient(gate, client=("10.0.0.1", 50_000))


@pytest.mark.parametrize(
    ("mode", "role", "origin", "method"),
    list(itertools.product(("read-only", "write"), (None, "viewer", "operator"), (*ORIGINS, "none"), UNSAFE)),
)
def test_unsafe_request_passes_only_from_an_operator_of_the_same_site_in_write_mode(
    tmp_path: Path, mode: str, role: str | None, origin: str, method: str
) -> None:
    """Every other combination of mode, role and origin is refused, with basic credentials as a browser sends them."""
    headers, is_same = ORIGINS.get(origin, ({}, False))
    auth = None if role is None else ("", TOKEN[role])
    response = client(tmp_path, mode).request(method, "/api/v1/x", headers=headers, auth=auth)
    expected = 401 if role is None else 200 if mode == "write" and role == "operator" and is_same else 403
    assert response.status_code == expected
    if expected != 200:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]


@pytest.mark.parametrize("role", [None, "viewer", "operator"])
@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize("origin", [*ORIGINS, "none"])
def test_safe_request_needs_only_a_user(tmp_path: Path, role: str | None, method: str, origin: str) -> None:
    """Links from other sites may lead to a page, but a page needs a user if users are configured."""
    auth = None if role is None else ("", TOKEN[role])
    headers = ORIGINS.get(origin, ({}, True))[0]
    response = client(tmp_path, "read-only").request(method, "/", headers=headers, auth=auth)
    assert response.status_code == (401 if role is None else 200)
    assert ("www-authenticate" in response.headers) == (role is None)


@pytest.mark.parametrize("path", ["/api", "/api/v1/x", "/", "/static/api/x", "/quotes/api/y"])
def test_refusal_is_a_problem_document_only_for_the_api(tmp_path: Path, path: str) -> None:
    """A page whose address contains `/api/` is still a page, so its refusal is text."""
    response = client(tmp_path, "read-only").get(path)
    assert response.status_code == 401
    assert ("problem+json" in response.headers["content-type"]) == (path in {"/api", "/api/v1/x"})


def test_proxy_console_asks_no_browser_for_a_password(tmp_path: Path) -> None:
    """If only a proxy names users, there is no password that a browser could ask for."""
    proxied = client(tmp_path, "write", tokens=False, user_header="X-User", trusted_proxies="10.0.0.0/8")
    refused = proxied.get("/", headers={"Authorization": "Basic eDp5"})
    assert refused.status_code == 401
    assert "www-authenticate" not in refused.headers
    assert "X-User" in refused.text
    assert proxied.get("/", headers={"Authorization": "Basic eDp5", "X-User": "auth0|5f7c"}).text == "auth0|5f7c"


def test_wrong_tokens_are_limited_and_right_ones_wait_too(tmp_path: Path) -> None:
    """After many wrong tokens in a minute, no token is compared, so guessing is slow; other clients do not wait."""
    clock = ManualClock()
    guarded = client(tmp_path, "read-only", clock=clock, trusted_proxies="10.0.0.1")
    guesser, other = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    right = {"Authorization": f"Bearer {TOKEN['viewer']}"}
    for number in range(WRONG_TOKENS):
        assert guarded.get("/", headers=guesser | {"Authorization": f"Bearer {number}"}).status_code == 401
        assert guarded.get("/", headers=other | right).status_code == 200
    limited = guarded.get("/", headers=guesser | right)
    assert limited.status_code == 429
    assert guarded.get("/", headers=guesser).status_code == 401
    assert guarded.get("/", headers=other | right).status_code == 200
    clock.advance(float(limited.headers["retry-after"]))
    assert guarded.get("/", headers=guesser | right).status_code == 200


def test_refused_user_is_logged_once_for_each_reason_and_client(tmp_path: Path) -> None:
    """The log names who was refused and why, and a client that tries again does not fill it."""
    guarded = client(tmp_path, "read-only", trusted_proxies="10.0.0.1")
    with capture_logs() as logs:
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            headers = {"X-Forwarded-For": address}
            guarded.get("/", headers=headers)
            guarded.get("/", headers=headers | {"Authorization": "Bearer wrong"})
    assert [(each["reason"], each["client"]) for each in logs if each["event"] == "user_refused"] == [
        (reason, address) for address in ("192.0.2.1", "192.0.2.2") for reason in ("user-required", "unknown-token")
    ]


def test_bearer_token_passes_without_an_origin_but_not_from_another_site(tmp_path: Path) -> None:
    """A program needs no header of a browser, and a browser that says cross-site is believed."""
    bearer = {"Authorization": f"Bearer {TOKEN['operator']}"}
    with_token = client(tmp_path, "write")
    assert with_token.post("/", headers=bearer).status_code == 200
    assert with_token.post("/", headers=bearer | {"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_anonymous_operator_on_loopback_needs_the_same_origin(tmp_path: Path) -> None:
    """Without tokens, a foreign page in the browser of a developer can change nothing."""
    anonymous = client(tmp_path, "write", tokens=False)
    assert anonymous.post("/", headers={"Sec-Fetch-Site": "same-origin"}).text == "anonymous"
    assert anonymous.post("/").status_code == 403
    assert anonymous.post("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("localhost.", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8000", 421),
        ("", 421),
        ("[::1", 200),
        ("192.0.2.1", 421),
    ],
)
def test_loopback_console_refuses_foreign_host_names(host: str, status: int) -> None:
    """A name that resolves to loopback by DNS rebinding does not open the console."""
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("page"))])
    hosts = allowed_hosts(load_settings({"FINANCEHUB_WEB_HOST": "localhost"}))
    assert TestClient(HostFilter(app, hosts)).get("/", headers={"Host": host}).status_code == status


def test_hosts_setting_replaces_the_loopback_names() -> None:
    """A process on all addresses accepts every name, or those of the setting."""
    assert not allowed_hosts(load_settings({}))
    assert allowed_hosts(load_settings({"FINANCEHUB_WEB_HOSTS": "Fin.example.com"})) == ["fin.example.com"]


@pytest.mark.parametrize(
    ("host", "name"),
    [("a:1", "a"), ("a", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("A.b:80", "a.b"), ("", ""), (":", "")],
)
def test_host_name_is_the_host_header_without_its_port(host: str, name: str) -> None:
    """Names and addresses of both families lose their port."""
    assert host_name(host) == name
