"""Tests the console behind a proxy that publishes it under a path, with https: redirects and reserved paths."""

import re
from collections.abc import Iterator

import httpx
import pytest
import redis

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings
from financehub_web.actions.registry import ACTIONS
from support.web_server import WebServer, serving

PREFIX = "/tools/financehub"
#: What proxies with https send.
PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "fin.example.com", "Host": "fin.example.com"}
#: Action → values with which its page has a form. The other pages explain what is missing.
VALUES = {
    "trigger": "schedule=default/demo",
    "backfill": "schedule=default/demo",
    "breaker": "upstream=binance&change=open",
    "fetch": "symbol=BTC-USD",
    "run": "task=cleanup_old_cache_task",
    "purge": "every=1",
    "requeue": "every=1",
}


@pytest.fixture
def published(filled: redis.Redis, redis_url: str) -> Iterator[httpx.Client]:
    """A client that sends what a proxy with https sends to a console with a prefix."""
    assert filled.ping()
    with (
        serving(redis_url, web_prefix=PREFIX, web_requests_per_second=1_000) as server,
        server.client(headers=PROXY) as client,
    ):
        yield client


@pytest.mark.parametrize("is_stripped", [True, False], ids=["stripped", "unstripped"])
def test_slash_at_the_end_leads_to_the_page_below_the_prefix(published: httpx.Client, *, is_stripped: bool) -> None:
    """A redirect has the prefix and names no host or scheme, which only the proxy knows."""
    for path, target in (
        ("/quotes/", "/quotes"),
        ("/quotes/?q=a%26b&sort=-price", "/quotes?q=a%26b&sort=-price"),
        ("/quotes/BTC-USD/", "/quotes/BTC-USD"),
        ("/quotes/BTC-USD///", "/quotes/BTC-USD"),
        ("/quotes/%C3%A4%25/", "/quotes/%C3%A4%25"),
        ("/api/v1/quotes/", "/api/v1/quotes"),
    ):
        response = published.get(path if is_stripped else PREFIX + path)
        assert response.status_code == 307, path
        assert response.headers["location"] == PREFIX + target


def test_prefix_without_a_slash_leads_to_the_overview(published: httpx.Client) -> None:
    """The prefix itself is an address that people type."""
    response = published.get(f"{PREFIX}?a=b")
    assert (response.status_code, response.headers["location"]) == (307, f"{PREFIX}/?a=b")
    assert published.get(f"{PREFIX}/").status_code == 200


def test_unknown_path_with_a_slash_is_not_redirected(published: httpx.Client) -> None:
    """No address leads to another site or to a page that does not exist."""
    for path in ("/unknown/", "//evil.example/", "///", "/static/console.css/", "/api/v1/unknown/"):
        response = published.get(PREFIX + path)
        assert response.status_code == 404, path
        assert "location" not in response.headers, path


def test_prefix_counts_only_as_whole_parts(published: httpx.Client) -> None:
    """A path that continues the last part of the prefix does not exist."""
    assert published.get(f"{PREFIX}s/quotes").status_code == 404
    assert published.get("/tools/quotes").status_code == 404


def test_problem_document_names_the_path_that_the_client_used(published: httpx.Client) -> None:
    """A client finds the path in its own log, and the hint compares paths without the prefix."""
    for path in (f"{PREFIX}/api/v1/quote", "/api/v1/quote"):
        problem = published.get(path).json()
        assert problem["instance"] == f"{PREFIX}/api/v1/quote"
        assert "/api/v1/quotes" in problem["near"]


@pytest.mark.parametrize(
    "prefix", ["/api", "/api/v1", "/static", "/quotes", "/quotes/x", "/runs/x", "/about", "/actions", "/schedules"]
)
def test_prefix_that_begins_like_a_path_of_the_console_is_refused(prefix: str) -> None:
    """With such a prefix, a path could mean two pages, so the process does not start."""
    with pytest.raises(ConfigError, match=f"^FINANCEHUB_WEB_PREFIX={prefix}: "):
        WebServer(Settings(web_prefix=prefix))


@pytest.mark.parametrize("is_stripped", [True, False], ids=["stripped", "unstripped"])
def test_actions_behind_a_prefix_stay_below_it(filled: redis.Redis, redis_url: str, *, is_stripped: bool) -> None:
    """The page of every action and its form, and the page to which an action leads, have addresses with the prefix."""
    assert filled.ping()
    start = "" if is_stripped else PREFIX
    settings = {"web_prefix": PREFIX, "web_mode": "write", "web_host": "127.0.0.1", "web_requests_per_second": 1_000}
    with serving(redis_url, **settings) as server, server.client(headers={"Sec-Fetch-Site": "same-origin"}) as client:
        for action in ACTIONS:
            page = client.get(f"{start}/actions/{action.name}?{VALUES.get(action.name, '')}")
            assert page.status_code in {200, 400, 409}, (action.name, page.text)
            for address in re.findall(r' (?:href|action)="(/[^"]*)"', page.text):
                assert address.startswith(f"{PREFIX}/"), (action.name, address)
        done = client.post(
            f"{start}/actions/breaker", data={"upstream": "binance", "change": "open", "reason": "maintenance"}
        )
        assert done.status_code == 303
        assert done.headers["location"].startswith(f"{PREFIX}/providers?")
        assert client.get(start + done.headers["location"].removeprefix(PREFIX)).status_code == 200
