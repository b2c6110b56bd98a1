"""Paths of Prometheus's programs."""

import os
import shutil

import pytest


def promtool_path() -> str:
    """Path of promtool."""
    return _path("promtool")


def prometheus_path() -> str:
    """Path of the server."""
    return _path("prometheus")


def _path(name: str) -> str:
    # a laptop may lack it, the machine that decides may not
    found = shutil.which(name)
    if found is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"{name} is not on the PATH; install Debian's package prometheus, which brings it")
    return found
