"""Answers HEAD like GET, without the body."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from financehub_web.http.paths import is_for_api

#: Key of the scope that tells an endless response that its body is not wanted.
IS_HEAD: Final = "financehub.is_head"


class HeadRequests:
    """ASGI middleware that lets the routes of the API, which are for GET, handle HEAD too.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or not is_for_api(scope):
            await self._app(scope, receive, send)
            return
        inner = {**scope, "method": "GET", IS_HEAD: True}

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["route"] = inner.get("route")
            elif message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(inner, receive, send_head)
