"""Tests who gets through the real application: users, methods, paths, hosts and proxies."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from financehub_shared.core.clock import ManualClock
from support.web_server import serving

TOKEN = "the-token-of-the-viewer-0123456789"
PATHS = ("/", "/about", "/static/console.css", "/unknown", "/api/v1/quotes", "/api/unknown", "/api/health/", "/api")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "UNKNOWN")
PREFLIGHT = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}


@pytest.fixture
def guarded(filled: redis.Redis, redis_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a console with a tokens file, a user header, one foreign origin and one host name."""
    assert filled.ping()
    file = tmp_path / "tokens.yaml"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    file.write_text(f"- {{name: bob, role: viewer, sha256: '{digest}'}}", encoding="utf-8")
    settings = {
        "web_tokens_file": file,
        "web_user_header": "X-User",
        "web_trusted_proxies": ["127.0.0.1"],
        "web_origins": [PREFLIGHT["Origin"]],
        "web_hosts": ["127.0.0.1"],
    }
    with serving(redis_url, **settings, web_requests_per_second=1_000) as server, server.client() as client:
        yield client


@pytest.mark.parametrize("method", METHODS)
def test_request_without_a_user_never_reaches_the_application(guarded: httpx.Client, method: str) -> None:
    """Every method and path ends in 401 without a part of a page, as text or as a problem document."""
    for path in PATHS:
        response = guarded.request(method, path)
        assert response.status_code == 401, path
        assert "<" not in response.text, path
        assert ("problem+json" in response.headers["content-type"]) == path.startswith("/api"), path
        assert response.headers["X-Content-Type-Options"] == "nosniff", path


@pytest.mark.parametrize("method", [method for method in METHODS if method not in {"GET", "HEAD", "OPTIONS"}])
def test_unsafe_method_of_a_viewer_never_reaches_the_application(guarded: httpx.Client, method: str) -> None:
    """Every method that is not known to be safe needs an operator."""
    for path in PATHS:
        response = guarded.request(method, path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 403, path


def test_preflight_of_an_allowed_origin_needs_no_user(guarded: httpx.Client) -> None:
    """Browsers send a preflight request without credentials. It gets the permission, and no data."""
    response = guarded.options("/api/v1/quotes", headers=PREFLIGHT)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == PREFLIGHT["Origin"]
    assert guarded.options("/about", headers=PREFLIGHT).status_code == 401
    assert guarded.options("/api/v1/quotes", headers={"Origin": PREFLIGHT["Origin"]}).status_code == 401


def test_user_of_the_proxy_is_found_in_a_real_request(guarded: httpx.Client) -> None:
    """The server neither changes the name nor joins headers that are repeated."""
    assert guarded.get("/", headers=[(b"X-User", "Jürgen".encode())]).status_code == 200
    for names in ((b"X-User", b"x-user"), (b"X-User", b"X-User")):
        repeated = guarded.get("/", headers=[(name, b"alice") for name in names])
        assert repeated.status_code == 401
        assert "more than once" in repeated.text


def test_foreign_host_name_is_refused_in_the_form_of_the_request(guarded: httpx.Client) -> None:
    """A program gets a problem document, and a browser gets text."""
    for path in ("/", "/api/v1/quotes"):
        response = guarded.get(path, headers={"Host": "evil.example"})
        assert response.status_code == 421
        assert "FINANCEHUB_WEB_HOSTS" in response.text
        assert ("problem+json" in response.headers["content-type"]) == path.startswith("/api")


def test_only_the_health_path_itself_is_exempt_from_the_limit(filled: redis.Redis, redis_url: str) -> None:
    """Probes are always answered. A path that only begins in the same way is limited as any other."""
    assert filled.ping()
    clock = ManualClock(time.time())  # no request becomes allowed while the test runs
    with serving(redis_url, clock=clock, web_requests_per_second=0.1) as server, server.client() as client:
        assert client.get("/api/healthy").status_code == 404
        assert client.get("/api/healthy").status_code == 429
        assert client.get("/api/health/x").status_code == 429
        assert {client.get(path).status_code for path in ("/api/health", "/api/health/") for _ in range(3)} == {200}


def test_every_response_of_the_api_forbids_sniffing(api: httpx.Client) -> None:
    """A browser takes no answer for a page or a script, whatever it contains."""
    for path in ("/api/v1/quotes", "/api/v1/openapi.json", "/api/unknown", "/api/v1/quotes?limit=x", "/api/health/"):
        assert api.get(path).headers["X-Content-Type-Options"] == "nosniff", path
