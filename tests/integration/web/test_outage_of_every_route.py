"""What every page and every route of the API does while Redis is away, hangs or is full.

The tests name no time: a request that waits for Redis without an end would fail because of the client's timeout.
"""

import re
from collections.abc import Callable

import httpx
import pytest

from integration.web.test_api import ITEMS, LISTS
from integration.web.test_console import PAGES
from integration.web.test_every_route import DOCUMENTS
from support.full_redis import fill
from support.redis_server import RedisServer
from support.routes import routes_of
from support.waiting import eventually
from support.web_server import WebServer, serving

pytestmark = pytest.mark.faults

API_PATHS = [f"/api/v1{path}" for path in [*LISTS, *ITEMS]]
#: The report about the outage itself, which is made without Redis.
REPORT = "/api/v1/health"
#: What it shows is known without Redis.
ABOUT = "/about"
#: Routes of the console that are not pages, or only of actions.
OTHERS = ("/actions/", "/static/")
#: The data of a chart is for the script of its page, so its errors are pages too.
CHART = "/quotes/AAPL/chart.json"


def page_paths(server: WebServer) -> list[str]:
    """Return a path of each page of the console, and check that the list has all of them."""
    templates = [path for path, methods in routes_of(server.app) if "HEAD" in methods]
    for template in templates:
        pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", template))
        assert template.startswith(OTHERS) or any(map(pattern.fullmatch, PAGES)), template
    return [path for path in PAGES if path != CHART]


def await_pages(client: httpx.Client, paths: list[str], status: int, text: str) -> None:
    """Wait until each page has a status and contains a text, and check that it still has its menu and its title.

    A reading of the last second is still shown as it is.
    """
    for path in paths:
        expected = (200, "") if path == ABOUT else (status, text)
        response = await_answer(client, path, *expected, "<title>✗")
        assert "<nav" in response.text, path


def await_answer(client: httpx.Client, path: str, status: int, *texts: str) -> httpx.Response:
    """Return the first answer to a request that has a status and contains some texts."""
    answers: list[httpx.Response] = []

    def is_expected() -> bool:
        answers.append(client.get(path))
        return answers[-1].status_code == status and all(text in answers[-1].text for text in texts)

    eventually(is_expected, f"{path} is {status} with {texts}", within=60)
    return answers[-1]


@pytest.mark.parametrize(("fault", "end"), [("hang", "resume"), ("kill", "start")])
@pytest.mark.parametrize("is_warm", [True, False], ids=["after answers", "from the start"])
def test_outage_is_shown_by_every_route(
    redis_server: Callable[..., RedisServer], fault: str, end: str, *, is_warm: bool
) -> None:
    """Pages show what was read last, marked as old, or a page with the reason; the API answers 503 with the reason."""
    redis = redis_server()
    fill(redis.client(), redis.url)
    with serving(redis.url, web_requests_per_second=100_000) as server, server.client() as client:
        pages = page_paths(server)
        if is_warm:
            assert {client.get(path).status_code for path in [*pages, *API_PATHS]} == {200}
        getattr(redis, fault)()
        try:
            eventually(lambda: client.get("/api/v1/queues").status_code == 503, "the outage is noticed", within=60)
            await_pages(client, pages, *((200, "Not current:") if is_warm else (503, "Redis does not answer")))
            await_answer(client, REPORT, 200, '"down"')
            for path in API_PATHS:
                if path != REPORT:
                    response = await_answer(client, path, 503, "Redis does not answer")
                    assert response.json()["code"] == "redis-unavailable", path
                    assert int(response.headers["retry-after"]) > 0, path
            assert {client.get(path).status_code for path in [*DOCUMENTS, "/static/console.css"]} == {200}
        finally:
            getattr(redis, end)()
        for path in [*pages, *API_PATHS]:
            await_answer(client, path, 200)
        eventually(lambda: "Not current:" not in client.get("/quotes").text, "the quotes are current", within=60)


def test_full_redis_is_read_by_every_route(redis_server: Callable[..., RedisServer]) -> None:
    """A Redis that refuses writes still answers, so all pages and the API have their data, and say that it is full."""
    redis = redis_server()
    fill(redis.client(), redis.url)
    redis.client().config_set("maxmemory", "1mb")
    with serving(redis.url, web_requests_per_second=100_000) as server, server.client() as client:
        for path in [*page_paths(server), CHART, *API_PATHS]:
            assert client.get(path).status_code == 200, path
        assert "maxmemory" in client.get("/").text
        assert client.get("/api/v1/health").json()["data"]["status"] != "ok"
