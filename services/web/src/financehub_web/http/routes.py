"""Which paths the application has, and the address that a request with one slash too many meant."""

from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Match

from financehub_shared.core.errors import ConfigError
from financehub_web.http.paths import API_ROOT, path_of

#: Ends of paths with which every route of the console is found by the first part of its path.
_ENDS: Final = ("", "/x", "/x/x")


def has_route(app: Starlette, path: str) -> bool:
    """Whether a path, without the prefix, has a route."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": [], "query_string": b""}
    return any(route.matches(scope)[0] is not Match.NONE for route in app.routes)


def address_without_slash(request: Request) -> str:
    """Return the address that a request meant whose path has no route because of a slash at its end.

    It is relative to the host, because only the proxy knows whether the address begins with `https`.

    Args:
        request: A request that no route matched.

    Returns:
        The address with the prefix; empty if it has no route either.
    """
    path, prefix = path_of(request.scope), request.scope.get("root_path", "")
    # `/financehub` is the overview too, whose address is `/financehub/`
    meant = path.rstrip("/") if path else "/"
    if meant == path or meant.startswith("//") or not meant or not has_route(request.app, meant):
        return ""
    query = request.url.query
    return quote(prefix + meant) + (f"?{query}" if query else "")


def check_prefix(app: Starlette, prefix: str) -> None:
    """Check that a path with the prefix is never a path without it.

    Args:
        app: The application with all routes.
        prefix: The prefix of the settings.

    Raises:
        ConfigError: The prefix begins like a path of the console or the API.
    """
    first = "/" + prefix.removeprefix("/").partition("/")[0]
    if prefix and (first == API_ROOT or any(has_route(app, first + end) for end in _ENDS)):
        raise ConfigError(
            f"FINANCEHUB_WEB_PREFIX={prefix}: {first} is also a path of the console, so it would not be clear whether "
            f"a request contains the prefix; begin it with another part, such as /financehub{prefix}"
        )
