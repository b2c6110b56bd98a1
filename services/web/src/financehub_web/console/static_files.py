"""Serves the style sheet, the scripts and the vendored libraries."""

from pathlib import Path

from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent / "static"


def static_files() -> StaticFiles:
    """Return the application that serves the files of the console."""
    return StaticFiles(directory=FOLDER)
