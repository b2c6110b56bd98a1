"""The path under which a proxy publishes the application."""

from starlette.types import ASGIApp, Receive, Scope, Send

from financehub_web.http.paths import path_of


class Prefix:
    """ASGI middleware that sets `root_path`, and lets every path contain it, as ASGI 3 requires.

    Some proxies remove the prefix from requests, and others do not. The application sees no difference.

    Args:
        app: The application behind it.
        prefix: The path, such as `/financehub`; empty for none.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and self._prefix:
            scope["root_path"] = self._prefix
            scope["path"] = self._prefix + path_of(scope)
        await self._app(scope, receive, send)
