"""Checks that the pinned distributions can be installed on another platform than this machine's."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from releasing.errors import ReleaseError

#: The Python of the images, and the platform tag of Debian 12.
_PYTHON = "3.11"
_PLATFORMS = {"arm64": "aarch64-manylinux_2_36", "amd64": "x86_64-manylinux_2_36"}
#: Without a wheel for any platform. The image builds them from source, and they contain only Python.
PURE_SOURCES = {"ta"}


def missing_wheels(requirements: Path, architecture: str) -> str:
    """Return what uv says about a distribution without a wheel for a platform, or "" if each has one.

    It asks the package index, and downloads nothing.

    Args:
        requirements: A requirement file with hashes.
        architecture: `amd64` or `arm64`.

    Raises:
        ReleaseError: The architecture is unknown, or the index does not answer.
    """
    if architecture not in _PLATFORMS:
        raise ReleaseError(f"the architecture is {architecture!r}; write one of {', '.join(sorted(_PLATFORMS))}")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run", "--no-deps"]
        command += ["--target", folder, "--python", sys.executable, "--python-version", _PYTHON]
        command += ["--python-platform", _PLATFORMS[architecture], "--only-binary", ":all:"]
        command += [word for name in sorted(PURE_SOURCES) for word in ("--no-binary", name)]
        command += ["--require-hashes", "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    if not re.search(r"no (usable )?wheels|No solution found", done.stderr):
        raise ReleaseError(f"{requirements.name} cannot be checked for {architecture}: {done.stderr.strip()[-1_000:]}")
    return done.stderr.strip()
