"""Builds programs from Go modules into the cache."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.binaries.catalogue import Program
from support.binaries.finder import cache_folder, find


class BuildError(Exception):
    """Go did not build a program; it has said why."""


def build(program: Program, go: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Build a program into the cache unless it is there; another process that builds is waited for.

    Args:
        program: which; one that has a project.
        go: Go's command.
        environment: of the process.

    Raises:
        BuildError: Go failed.
    """
    assert program.project is not None
    project = program.project
    folder = cache_folder(project, environment)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder.parent / "build.lock"):
        if find(program, environment):
            return
        _say(f"building {program.name} {project.version}, which takes minutes the first time …")
        began = time.monotonic()
        unfinished = folder / f".{program.name}.unfinished"
        # nothing of the checkout goes into it, and a static binary runs in any container
        command = [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags", project.linker_flags]
        try:
            subprocess.run(
                [*command, "-o", str(unfinished), "/".join(filter(None, (project.module, program.package)))],
                cwd=project.folder,
                env={**environment, "CGO_ENABLED": "0", "GOWORK": "off"},
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise BuildError(f"cannot build {program.name} {project.version}: {error}") from error
        unfinished.rename(folder / program.name)
        _say(f"built {folder / program.name} in {time.monotonic() - began:.0f} s")


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time: a linker takes gigabytes."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(line: str) -> None:
    sys.stderr.write(f"binaries: {line}\n")
