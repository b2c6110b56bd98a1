"""Answers a request whose handler failed unexpectedly, within everything that each request passes."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Failures:
    """ASGI middleware that lets the handler of unexpected errors answer.

    Starlette calls that handler outside of all middleware, so the response would have no request id and would not be
    measured.

    Args:
        app: The application behind it.
        handlers: The handlers of the application, by class of error.
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[Any, Any]) -> None:
        self._app = app
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_noted(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            if has_started:
                raise  # the server closes the connection, so that the client notices
            response = await self._handlers[Exception](Request(scope, receive), error)
            await response(scope, receive, send)
