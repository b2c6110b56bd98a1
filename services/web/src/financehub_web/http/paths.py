"""The path of a request within the application, and whether it belongs to the API."""

from starlette.types import Scope

API_ROOT = "/api"


def path_of(scope: Scope) -> str:
    """Return the path of a request without the path under which a proxy publishes the console.

    Args:
        scope: The ASGI scope of an HTTP request, whose path may contain the prefix or not.
    """
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    return path.removeprefix(prefix) if path == prefix or path.startswith(f"{prefix}/") else path


def is_for_api(scope: Scope) -> bool:
    """Whether a request is for the API, so that every answer to it, also a refusal, is for programs."""
    path = path_of(scope)
    return path == API_ROOT or path.startswith(f"{API_ROOT}/")
