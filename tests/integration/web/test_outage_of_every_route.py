"""What every page, every route of the API and every action does while Redis is away, hangs or is full.

The tests name no time: a request that waits for Redis without an end would fail because of the client's timeout.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from urllib.parse import urlencode

import httpx
import pytest
from structlog.testing import capture_logs

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.redis import keys
from financehub_web.actions.registry import ACTIONS
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
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
#: What it shows is known without Redis.
ABOUT = "/about"
#: Name of an action → the values of its form. They are those of records that `fill` writes.
FORMS: dict[str, dict[str, str]] = {
    "trigger": {"schedule": "default/other"},
    "backfill": {"schedule": "default/other", "start": "2026-01-01", "end": "2026-01-01 00:05"},
    "pause": {"schedule": "default/other", "reason": "maintenance"},
    "resume": {"schedule": "default/demo"},
    "run": {"task": "cleanup_old_cache_task"},
    "run-again": {"run": "task-ended"},
    "fetch": {"symbol": "AAPL"},
    "requeue": {"id": "letter-low", "count": "1"},
    "purge": {"id": "letter-q", "count": "1"},
    "breaker": {"upstream": "binance", "change": "close", "reason": "maintenance"},
    "add-asset": {"symbol": "SOL-USD", "type": "crypto"},
    "remove-asset": {"symbol": "AAPL"},
}
#: Actions whose pages ask for values and need no Redis.
ASKING = {"run", "add-asset"}
#: Actions that a Redis without free memory executes.
FREEING = {"resume", "requeue", "purge", "remove-asset"}
#: Routes of the console that are not pages. Those of actions have their own tests.
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


@pytest.fixture
def own_redis(redis_server: Callable[..., RedisServer]) -> RedisServer:
    """A Redis with every kind of record, in which each action of `FORMS` is possible."""
    assert FORMS.keys() == {action.name for action in ACTIONS}
    redis = redis_server()
    client = redis.client()
    fill(client, redis.url)
    client.hset(keys.run("task-ended"), mapping={"task": "cleanup_old_cache_task", "queue": "low", "arguments": "{}"})
    return redis


def writing(redis: RedisServer) -> AbstractContextManager[WebServer]:
    """Return a server in the mode `write`, in which everybody on this machine is an operator."""
    return serving(redis.url, web_mode="write", web_host="localhost", web_requests_per_second=100_000)


def ask(client: httpx.Client, name: str) -> httpx.Response:
    """Open the page of an action."""
    return client.get(f"/actions/{name}", params=FORMS[name])


def send(client: httpx.Client, name: str, **more: str) -> httpx.Response:
    """Execute an action."""
    return client.post(f"/actions/{name}", data=FORMS[name] | more)


@pytest.mark.parametrize(("fault", "end"), [("hang", "resume"), ("kill", "start")])
def test_outage_is_shown_by_every_action(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, fault: str, end: str
) -> None:
    """The page that asks and the execution answer 503 with the reason, and no failure is logged. Then both work."""
    # the pages of all actions wait for it several times in total
    monkeypatch.setattr("financehub_web.actions.controls._TIMEOUT_SECONDS", 0.5)
    with writing(own_redis) as server, server.client(headers=SAME_ORIGIN) as client, ThreadPoolExecutor(8) as pool:
        getattr(own_redis, fault)()
        try:
            with capture_logs() as logs:
                asked = dict(zip(FORMS, pool.map(partial(ask, client), FORMS), strict=True))
                sent = dict(zip(FORMS, pool.map(partial(send, client), FORMS), strict=True))
                with_key = dict(zip(FORMS, pool.map(partial(send, client, form_key="0" * 32), FORMS), strict=True))
        finally:
            getattr(own_redis, end)()
    for name in FORMS:
        answers = (asked[name], sent[name], with_key[name])
        assert all("<nav" in answer.text for answer in answers), name
        assert [answer.status_code for answer in answers] == [200 if name in ASKING else 503, 503, 503], name
        assert name in ASKING or "Redis does not answer" in asked[name].text, name
        assert "Redis did not confirm the action" in sent[name].text, name
        assert "Nothing was changed" in with_key[name].text, name
    assert [log for log in logs if log["log_level"] == "error"] == []
    monkeypatch.undo()
    with writing(own_redis) as server, server.client(headers=SAME_ORIGIN) as client:
        for name, form in FORMS.items():
            await_answer(client, f"/actions/{name}?{urlencode(form)}", 200)
        assert send(client, "trigger").status_code == 303


def test_full_redis_is_explained_by_every_action(own_redis: RedisServer) -> None:
    """Pages that ask are complete. An action that needs memory answers 503 with the reason, and deleting works."""
    own_redis.client().config_set("maxmemory", "1mb")
    with writing(own_redis) as server, server.client(headers=SAME_ORIGIN) as client, capture_logs() as logs:
        assert {name: ask(client, name).status_code for name in FORMS} == dict.fromkeys(FORMS, 200)
        sent = {name: send(client, name) for name in FORMS}
    for name, answer in sent.items():
        assert answer.status_code == (200 if name in FREEING else 503), name
        assert "<nav" in answer.text, name
        # as the reason, or as the note that the audit log has no entry
        assert "maxmemory" in answer.text, name
    assert [log for log in logs if log["log_level"] == "error"] == []
    assert DeadLetterQueue(own_redis.client()).find() == []
