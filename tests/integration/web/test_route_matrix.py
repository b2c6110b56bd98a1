"""The access to every route of the real application: mode and role × origin × method.

The routes come from the application, so that a new one cannot be forgotten.
"""

import hashlib
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_shared.redis import keys
from financehub_web.access.origin import SAFE_METHODS
from financehub_web.actions.registry import ACTIONS
from support.routes import routes_of
from support.web_server import WebServer, serving

TOKENS = {role: f"the-token-of-the-{role}-0123456789" for role in ("viewer", "operator")}
#: Name → mode, whether users have tokens, and the role whose token requests contain.
USERS: dict[str, tuple[str, bool, str | None]] = {
    "read-only": ("read-only", False, None),
    "operator of a read-only console": ("read-only", True, "operator"),
    "no user": ("write", True, None),
    "viewer": ("write", True, "viewer"),
    "operator": ("write", True, "operator"),
    "everybody on loopback": ("write", False, None),
}
#: Users who may change something.
ACTING = {"operator", "everybody on loopback"}
#: Name → headers with which a browser says where a request comes from, and whether it comes from the console.
ORIGINS: dict[str, tuple[dict[str, str], bool]] = {
    "same-origin": ({"Sec-Fetch-Site": "same-origin"}, True),
    "same-site": ({"Sec-Fetch-Site": "same-site"}, False),
    "cross-site": ({"Sec-Fetch-Site": "cross-site"}, False),
    "none": ({"Sec-Fetch-Site": "none"}, False),
    "own origin": ({"Origin": "{own}"}, True),
    "other origin": ({"Origin": "http://evil.example"}, False),
    "null origin": ({"Origin": "null"}, False),
    "nothing": ({}, False),
}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
#: Origins of unsafe requests to routes that have no unsafe method.
FEW_ORIGINS = ("same-origin",)
ACTION = "/actions/{name}"
#: Its answer never ends.
STREAM = "/api/v1/stream/quotes"


def paths_of(server: WebServer) -> dict[str, set[str]]:
    """Return path → its methods, for every route. The route of all actions has a path for each of them."""
    paths: dict[str, set[str]] = {}
    for template, methods in routes_of(server.app):
        names = [each.name for each in ACTIONS] if template == ACTION else ["x"]
        for name in names:
            paths.setdefault(re.sub(r"\{[^}]*\}", name, template), set()).update(methods)
    return paths


def settings_of(user: str, folder: Path) -> dict[str, Any]:
    """Return the settings of the console that a user opens."""
    mode, has_tokens, _ = USERS[user]
    settings: dict[str, Any] = {"web_mode": mode, "web_host": "127.0.0.1", "web_requests_per_second": 100_000}
    if has_tokens:
        digests = {role: hashlib.sha256(token.encode()).hexdigest() for role, token in TOKENS.items()}
        settings["web_tokens_file"] = folder / "tokens.yaml"
        settings["web_tokens_file"].write_text(
            "\n".join(f"- {{name: {role}, role: {role}, sha256: '{digest}'}}" for role, digest in digests.items()),
            encoding="utf-8",
        )
    return settings


@pytest.mark.parametrize("user", USERS)
def test_unsafe_request_passes_only_from_an_operator_on_the_console(
    filled: redis.Redis, redis_url: str, tmp_path: Path, user: str
) -> None:
    """Every route and every action refuses each other combination of user, origin and method, and nothing changes."""
    role = USERS[user][2]
    # As a browser sends it after its user has entered a token. It sends it with requests from other sites too.
    auth = None if role is None else ("", TOKENS[role])
    refused = 401 if user == "no user" else 403
    with serving(redis_url, **settings_of(user, tmp_path)) as server, server.client(auth=auth) as client:
        paths = paths_of(server)
        for path, (origin, (headers, is_own)), method in itertools.product(paths, ORIGINS.items(), UNSAFE):
            has_method = method in paths[path]
            if not paths[path] - SAFE_METHODS and origin not in FEW_ORIGINS:
                continue
            sent = {name: value.format(own=server.url) for name, value in headers.items()}
            # With 400, a request has passed the gate, and its form is wrong.
            response = client.request(method, path, headers=sent, data={"unknown": "1"})
            expected = (400 if has_method else 405) if user in ACTING and is_own else refused
            assert response.status_code == expected, (user, origin, method, path, response.text[:200])
    assert not filled.exists(keys.AUDIT)


@pytest.mark.parametrize("user", USERS)
def test_safe_request_needs_only_a_user(filled: redis.Redis, redis_url: str, tmp_path: Path, user: str) -> None:
    """Links of other sites may lead to every page, but only an operator sees the pages of actions."""
    role = USERS[user][2]
    auth = None if role is None else ("", TOKENS[role])
    assert filled.ping()
    with (
        serving(redis_url, **settings_of(user, tmp_path)) as server,
        server.client(auth=auth, headers={"Sec-Fetch-Site": "cross-site"}) as client,
    ):
        for path, method in itertools.product(paths_of(server), ("GET", "HEAD")):
            if path == STREAM and method == "GET" and user != "no user":
                continue
            status = client.request(method, path).status_code
            if user == "no user":
                assert status == 401, (user, method, path)
            elif path.startswith("/actions/"):
                assert (status == 403) == (user not in ACTING), (user, method, path)
            else:
                assert status not in {401, 403, 405, 500}, (user, method, path)


def test_actions_are_the_only_unsafe_routes(server: WebServer) -> None:
    """No other route accepts an unsafe method, and the list of routes is that of the application."""
    routes = list(routes_of(server.app))
    assert {template for template, methods in routes if methods - SAFE_METHODS} == {ACTION}
    assert {"/", "/quotes", "/api/v1/quotes", "/api/v1/runs/{id}", "/api/health/", STREAM} <= {
        path for path, _ in routes
    }
