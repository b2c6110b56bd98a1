"""What becomes of an answer of the API server, or of whatever stands in its place."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from financehub_scheduler.kubernetes.client.api import ApiError, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection

Serve = Callable[[web.Response], Awaitable[KubeApi]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A server that gives one answer to everything, and a connection to it."""
    runners: list[web.AppRunner] = []
    apis: list[KubeApi] = []

    async def begin(answer: web.Response) -> KubeApi:
        async def handle(_: web.Request) -> web.Response:
            return answer

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        site = web.TCPSite(runners[-1], "127.0.0.1", 0)
        await site.start()
        configuration = type.__call__(Configuration)
        configuration.host = f"http://127.0.0.1:{runners[-1].addresses[0][1]}"
        apis.append(KubeApi(Connection(configuration, "default")))
        return apis[-1]

    yield begin
    for api in apis:
        await api.aclose()
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize("kind", ["application/json", "text/html"])
async def test_an_answer_that_is_no_json_is_none(serve: Serve, kind: str) -> None:
    """A proxy that says 200 to everything is no API server: the request failed, and may be tried again."""
    api = await serve(web.Response(text="<html>welcome</html>", content_type=kind))
    with pytest.raises(ApiUnreachableError):
        await api.request("GET", "/x")


async def test_a_refusal_in_html_is_a_refusal(serve: Serve) -> None:
    """An error page is told with its status and its beginning."""
    api = await serve(web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html"))
    with pytest.raises(ApiError, match="bad gateway") as caught:
        await api.request("GET", "/x")
    assert caught.value.status == 502


async def test_a_refusal_has_a_reason(serve: Serve) -> None:
    """Kubernetes' own words are kept."""
    status = {"kind": "Status", "reason": "Forbidden", "message": "no"}
    api = await serve(web.json_response(status, status=403))
    with pytest.raises(ApiError) as caught:
        await api.request("GET", "/x")
    assert (caught.value.status, caught.value.reason, caught.value.message) == (403, "Forbidden", "no")


async def test_credentials_that_cannot_be_read_are_no_answer(serve: Serve) -> None:
    """A token that is being replaced fails the request, as an API server that is away does, and not the process."""
    api = await serve(web.json_response({}))

    def unreadable(_: Configuration) -> None:
        raise ConfigException("Token file exists but empty.")

    api._connection._configuration.refresh_api_key_hook = unreadable
    with pytest.raises(ApiUnreachableError, match="Token file exists but empty"):
        await api.request("GET", "/x")
