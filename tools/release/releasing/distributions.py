"""Builds the wheel and the source distribution of every distribution of the workspace."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from releasing.errors import ReleaseError

#: Every archive contains them, and a distribution cannot name a file outside of its folder.
_LEGAL = ("LICENSE", "NOTICE")


def folders(source: Path) -> list[Path]:
    """Return the folders of the distributions in a workspace.

    Args:
        source: The root of the workspace.
    """
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    members = project["tool"]["uv"]["workspace"]["members"]
    return sorted(path for pattern in members for path in source.glob(pattern) if (path / "pyproject.toml").exists())


def build(source: Path, output: Path, epoch: int) -> list[Path]:
    """Build all source distributions, and from each of them its wheel, and return their files.

    Args:
        source: The root of the workspace, a copy that may be changed.
        output: An existing folder for the files.
        epoch: The time of every file in the archives, in Unix seconds.

    Raises:
        ReleaseError: A build failed. The message contains the end of its output.
    """
    for folder in folders(source):
        for name in _LEGAL:
            shutil.copyfile(source / name, folder / name)
        command = [str(Path(sys.executable).with_name("uv")), "build", "--quiet", "--no-build-isolation"]
        command += ["--no-create-gitignore", "--python", sys.executable, "--out-dir", str(output), str(folder)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "UV_PYTHON_DOWNLOADS": "never"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ReleaseError(f"the build of {folder.relative_to(source)} failed:\n{done.stderr[-2_000:]}")
    return sorted([*output.glob("*.whl"), *output.glob("*.tar.gz")])
