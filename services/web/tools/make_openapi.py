"""Writes docs/openapi.json, the OpenAPI document of the read API. `make openapi` runs it; a test compares the file."""  # noqa: INP001 — a script

import json
from pathlib import Path

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.metrics import Metrics
from financehub_web.api.openapi import document_of
from financehub_web.api.quote_feed import QuoteFeed
from financehub_web.app import build_app
from financehub_web.observability import LoopProbe
from financehub_web.reading.fleet import Fleet

PATH = Path(__file__).parents[3] / "docs" / "openapi.json"


def render() -> str:
    """Return the document as text. Nothing connects to Redis, because nothing is requested."""
    clock = SystemClock()
    fleet = Fleet(Settings(), clock)
    app = build_app(Settings(), fleet, LoopProbe(clock), Metrics("web"), QuoteFeed(fleet))
    return json.dumps(document_of(app), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
