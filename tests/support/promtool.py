"""Finds the Prometheus programs."""

import os
import shutil

import pytest


def promtool_path() -> str:
    """Return the path of promtool."""
    return _path("promtool")


def prometheus_path() -> str:
    """Return the path of the Prometheus server."""
    return _path("prometheus")


def _path(name: str) -> str:
    # The program may be missing on a laptop, but not in CI.
    found = shutil.which(name)
    if found is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"{name} is not on the PATH; install Debian's package prometheus, which contains it")
    return found
