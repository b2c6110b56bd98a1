"""Lists the routes of the real web application, so that tests of all routes cannot forget a new one."""

from collections.abc import Iterator
from typing import Any


def routes_of(router: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield (template of the path, methods) of each route of an application or a router, also of those it includes."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included)
        else:
            yield route.path, set(route.methods)
