"""Builds the addresses of pages. All of them begin with the path under which a proxy publishes the console."""

from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request

from financehub_web.console.static_files import versioned

#: The query parameter that names the entry of the audit log of the action that was just executed.
DONE = "done"


class Links:
    """The addresses in one response.

    Args:
        request: The request.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.root = request.scope.get("root_path", "").rstrip("/")

    def page(self, name: str, /, **parameters: str) -> str:
        """Return the address of a page.

        Args:
            name: Name of its route.
            parameters: Values of the parts of its path that vary.
        """
        quoted = {key: quote(value, safe="") for key, value in parameters.items()}
        return f"{self.root}{self._request.app.url_path_for(name, **quoted)}"

    def file(self, name: str) -> str:
        """Return the address of a static file."""
        return f"{self.root}/static/{versioned(name)}"

    def api(self, path: str, /, **parameters: str) -> str:
        """Return the address of a route of the API, such as `quotes`.

        Args:
            path: Path of the route.
            parameters: Its parameters. Those that are empty are left out.
        """
        pairs = [(name, value) for name, value in parameters.items() if value]
        return f"{self.root}/api/v1/{path}{'?' if pairs else ''}{urlencode(pairs)}"

    def current(self, **changes: str | None) -> str:
        """Return the address of this page with other query parameters, and without the one that names an action.

        Args:
            changes: Parameters with their new values. None removes one.
        """
        pairs = [pair for pair in self._pairs() if pair[0] not in changes]
        pairs += [(name, value) for name, value in changes.items() if value is not None]
        return f"?{urlencode(pairs)}" if pairs else "?"

    def _pairs(self) -> Iterable[tuple[str, str]]:
        return [pair for pair in parse_qsl(self._request.url.query, keep_blank_values=False) if pair[0] != DONE]
