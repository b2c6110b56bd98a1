"""KubeApi: handling of responses from the API server, or from a proxy in front of it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from financehub_scheduler.kubernetes.client.api import ApiError, ApiRequest, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection

Serve = Callable[[web.Response], Awaitable[KubeApi]]
REQUEST = ApiRequest("GET", "/x")


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server that gives the same response to every request, and return its client."""
    runners: list[web.AppRunner] = []
    apis: list[KubeApi] = []

    async def start(answer: web.Response) -> KubeApi:
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

    yield start
    for api in apis:
        await api.aclose()
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
async def test_send_with_answer_other_than_json_raises_unreachable(serve: Serve, content_type: str) -> None:
    """A 200 response that is not JSON comes from a proxy, so the API server counts as unreachable."""
    api = await serve(web.Response(text="<html>welcome</html>", content_type=content_type))
    with pytest.raises(ApiUnreachableError):
        await api.send(REQUEST)


async def test_send_with_html_error_page_raises_api_error(serve: Serve) -> None:
    """An HTML error page causes an ApiError with the HTTP status and the start of the page."""
    api = await serve(web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html"))
    with pytest.raises(ApiError, match="bad gateway") as caught:
        await api.send(REQUEST)
    assert caught.value.status == 502


async def test_send_with_refusal_keeps_reason_and_message(serve: Serve) -> None:
    """An ApiError has the API server's reason and message."""
    status = {"kind": "Status", "reason": "Forbidden", "message": "no"}
    api = await serve(web.json_response(status, status=403))
    with pytest.raises(ApiError) as caught:
        await api.send(REQUEST)
    assert (caught.value.status, caught.value.reason, caught.value.message) == (403, "Forbidden", "no")


async def test_send_with_unreadable_credentials_raises_unreachable(serve: Serve) -> None:
    """While a token is replaced, a request fails as if the API server were unavailable. The process continues."""
    api = await serve(web.json_response({}))

    def unreadable(_: Configuration) -> None:
        raise ConfigException("Token file exists but empty.")

    api._connection._configuration.refresh_api_key_hook = unreadable
    with pytest.raises(ApiUnreachableError, match="Token file exists but empty"):
        await api.send(REQUEST)
