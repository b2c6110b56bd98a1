"""Where promtool is."""

import os
import shutil

import pytest


def promtool_path() -> str:
    """Path of promtool; a laptop may lack it, the machine that decides may not."""
    found = shutil.which("promtool")
    if found is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("promtool is not on the PATH; install Debian's prometheus, which brings it")
    return found
