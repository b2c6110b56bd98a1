"""The page with the version, the settings in force and the licenses of the libraries."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.settings import Settings, variables
from financehub_shared.core.url_secrets import mask_urls
from financehub_web.console.acting import newest_actions
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.console.static_files import static_files
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()


@page(router, "/about", "about")
def about(request: Request, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Show what runs here."""
    values = {
        "mode": fleet.settings.web_mode,
        "settings": _changed_settings(fleet.settings),
        "packages": _packages(),
        "audit": newest_actions(request),
    }
    return show(request, "about.html", "About", "about", values, live=False)


def _changed_settings(settings: Settings) -> list[tuple[str, str]]:
    """Return (variable, value) of the settings that were set. Secrets are hidden."""
    changed = settings.model_fields_set
    return [(name, _shown(getattr(settings, field))) for name, field in sorted(variables().items()) if field in changed]


def _shown(value: Any) -> str:
    if isinstance(value, RedisUrl):
        return value.place
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(_shown, value))
    return mask_urls(str(value))


def _packages() -> list[dict[str, Any]]:
    """Return the vendored libraries, each with the file of its license."""
    listing: list[dict[str, Any]] = json.loads(static_files()["vendor/vendor.json"].content)
    for package in listing:
        package["license_file"] = next(f"vendor/{name}" for name in package["files"] if name.endswith("LICENSE.txt"))
    return listing
