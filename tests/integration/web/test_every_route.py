"""What every route of the API does with mistakes of a client. The routes come from the application."""

import re
import time

import httpx
import pytest
import redis

from financehub_shared.core.clock import ManualClock
from support.routes import routes_of
from support.web_server import WebServer, serving

#: Routes whose one format is not chosen by the client.
DOCUMENTS = {"/api/v1/docs", "/api/v1/docs.css", "/api/v1/openapi.json"}


def templates_of(server: WebServer) -> list[str]:
    """Return the templates of all routes of the API, without those of the health report, which probes need."""
    return [template for template, _ in routes_of(server.app) if template.startswith("/api/v1/")]


def path_of(template: str) -> str:
    """Return a path that matches a template, whose object does not exist."""
    return re.sub(r"\{[^}]*\}", "NOPE", template)


def assert_problem(response: httpx.Response, status: int, template: str) -> None:
    """Check that a response is a problem document (RFC 9457) with a status, a code and an explanation."""
    assert response.status_code == status, (template, response.text)
    assert response.headers["content-type"] == "application/problem+json", template
    problem = response.json()
    assert problem["status"] == status, template
    assert problem["code"], template
    assert problem["detail"], template


def test_unknown_parameter_is_400_on_every_route(server: WebServer, api: httpx.Client) -> None:
    """No route ignores a parameter that it does not know, and each names the parameter."""
    templates = templates_of(server)
    assert len(templates) > 25
    for template in templates:
        response = api.get(path_of(template), params={"zzz": "1"})
        assert_problem(response, 400, template)
        assert "zzz" in response.json()["detail"], template


def test_unknown_object_is_404_on_every_route_that_has_one(server: WebServer, api: httpx.Client) -> None:
    """A symbol, an id or a name that does not exist is an error, and never an empty answer."""
    for template in templates_of(server):
        if "{" in template:
            assert_problem(api.get(path_of(template)), 404, template)
        assert_problem(api.get(f"{path_of(template)}/unknown/path/below"), 404, template)


def test_other_format_is_406_on_every_route_with_data(server: WebServer, api: httpx.Client) -> None:
    """A client that accepts only what a route does not have learns which formats it has."""
    for template in templates_of(server):
        if template not in DOCUMENTS and "{" not in template:
            response = api.get(template, headers={"Accept": "application/xml"})
            assert_problem(response, 406, template)
            assert response.json()["near"], template


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_method_is_405_on_every_route(filled: redis.Redis, redis_url: str, method: str) -> None:
    """An operator who sends an unsafe method to the API, which only reads, gets the list of the methods."""
    assert filled.ping()
    settings = {"web_mode": "write", "web_host": "127.0.0.1", "web_requests_per_second": 1_000}
    with serving(redis_url, **settings) as server, server.client(headers={"Sec-Fetch-Site": "same-origin"}) as client:
        for template in templates_of(server):
            response = client.request(method, path_of(template))
            assert_problem(response, 405, template)
            assert response.headers["allow"] == "GET, HEAD, OPTIONS", template


def test_too_many_requests_are_429_on_every_route(filled: redis.Redis, redis_url: str) -> None:
    """A client that has used up its requests is refused everywhere, also on paths that do not exist."""
    assert filled.ping()
    clock = ManualClock(time.time())  # no request becomes allowed while the test runs
    with serving(redis_url, clock=clock, web_requests_per_second=0.1) as server, server.client() as client:
        assert client.get("/api/v1/queues").status_code == 200
        for template in [*templates_of(server), "/api/v1/unknown"]:
            response = client.get(path_of(template))
            assert_problem(response, 429, template)
            assert int(response.headers["retry-after"]) > 0, template
