"""Renders the templates. Every text is escaped for HTML, and characters that are not printable are shown as escapes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from financehub_web.console.filters import FILTERS, show_text
from financehub_web.console.prices import NOTHING

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    finalize=show_text,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters |= FILTERS
_ENVIRONMENT.globals["nothing"] = NOTHING


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return the HTML of a template.

    Args:
        template: Name of the template.
        values: The values of its variables.
    """
    return _ENVIRONMENT.get_template(template).render(values)
