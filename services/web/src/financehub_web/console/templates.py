"""Renders the templates, with every text from outside escaped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from financehub_shared.core.text import printable

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["printable"] = printable


def render(request: Request, template: str, values: Mapping[str, Any]) -> HTMLResponse:
    """Return a page.

    Args:
        request: The request.
        template: Name of the template.
        values: The values of its variables.
    """
    html = _ENVIRONMENT.get_template(template).render(request=request, url_for=request.url_for, **values)
    return HTMLResponse(html, headers={"Cache-Control": "private, no-cache"})
