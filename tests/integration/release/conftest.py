"""A release that is built once for all tests, from the commit of the checkout."""

import fcntl
import os
from pathlib import Path

import pytest

from releasing.build import build


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a release without the bills of materials of the images, which need a container engine."""
    temporary = tmp_path_factory.getbasetemp()
    # With pytest-xdist, each process has a folder within that of the run. The first process builds for all of them.
    shared = temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary
    folder = shared / "release"
    with (shared / "release.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            build(folder, with_sboms=False)
    return folder
