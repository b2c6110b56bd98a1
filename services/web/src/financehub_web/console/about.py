"""The page with the version, the settings in force and the licenses of the libraries."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.settings import SECRET_FIELDS, Settings, variables
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
    rows = setting_rows(fleet.settings, os.environ)
    values = {
        "mode": fleet.settings.web_mode,
        "changed": [row for row in rows if row.source],
        "defaults": [row for row in rows if not row.source],
        "packages": _packages(),
        "audit": newest_actions(request),
    }
    return show(request, "about.html", "About", "about", values, live=False)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting of the process.

    Args:
        variable: Its environment variable.
        value: Its value, without secrets.
        source: Where the value comes from; empty for the default.
        description: What it does, and the reason for its default.
    """

    variable: str
    value: str
    source: str
    description: str


def setting_rows(settings: Settings, environ: Mapping[str, str]) -> list[SettingRow]:
    """Return all settings, sorted by variable.

    Args:
        settings: The settings in force.
        environ: The environment variables of the process.
    """
    return [
        SettingRow(
            variable,
            _shown(field, getattr(settings, field)),
            _source(settings, variable, field, environ),
            Settings.model_fields[field].description or "",
        )
        for variable, field in sorted(variables().items())
    ]


def _source(settings: Settings, variable: str, field: str, environ: Mapping[str, str]) -> str:
    if field not in settings.model_fields_set:
        return ""
    if variable in environ:
        return "environment"
    is_mounted = settings.secrets_dir is not None and field in SECRET_FIELDS
    return f"file {settings.secrets_dir}/{field}" if is_mounted else "the program that started it"


def _shown(field: str, value: Any) -> str:
    if value is None or value in ("", [], ()):
        return "–"
    if field in SECRET_FIELDS or field.endswith(("key", "password")):
        return "hidden"
    if isinstance(value, RedisUrl):
        return value.place
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_shown(field, each) for each in value)
    return mask_urls(str(value))


def _packages() -> list[dict[str, Any]]:
    """Return the vendored libraries, each with the file of its license."""
    listing: list[dict[str, Any]] = json.loads(static_files()["vendor/vendor.json"].content)
    for package in listing:
        package["license_file"] = next(f"vendor/{name}" for name in package["files"] if name.endswith("LICENSE.txt"))
    return listing
