"""Builds programs from Go modules into the cache."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from test_cluster.binaries.finder import cache_folder, find
from test_cluster.binaries.programs import Program, Project


class BuildError(Exception):
    """Go did not build a program. Its output contains the cause."""


def build(program: Program, go: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Build a program into the cache unless it exists. Waits while another process builds.

    Args:
        program: A program that has a project.
        go: Path of the command `go`.
        environment: Environment of the process.

    Raises:
        BuildError: Go failed.
    """
    assert program.project is not None
    project = program.project
    folder = cache_folder(project, environment)
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder.parent / "build.lock"):
        if find(program, environment):
            return
        _print(f"building {program.name} {project.version}, which takes minutes the first time …")
        began = time.monotonic()
        unfinished = folder / f".{program.name}.unfinished"
        # The checkout must not influence the program, and a static binary runs in any container.
        environment = {**environment, "CGO_ENABLED": "0", "GOWORK": "off"}
        command = [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags", project.linker_flags]
        # The linker would drop the debugging information, and generating it takes a tenth of the build.
        command.append("-gcflags=all=-dwarf=false")
        package = "." if program.package == "." else "/".join(filter(None, (project.module, program.package)))
        try:
            with _with_placeholders(project, go, environment) as options:
                subprocess.run(
                    [*command, f"-tags={','.join(project.tags)}", *options, "-o", str(unfinished), package],
                    cwd=project.folder,
                    env=environment,
                    check=True,
                )
        except (OSError, subprocess.CalledProcessError) as error:
            raise BuildError(f"cannot build {program.name} {project.version}: {error}") from error
        unfinished.rename(folder / program.name)
        _print(f"built {folder / program.name} in {time.monotonic() - began:.0f} s")


@contextmanager
def _with_placeholders(project: Project, go: Path, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield the options that make Go build the project from a copy of its module that contains the placeholders."""
    if not project.placeholders:
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        copy, pinned = Path(folder) / "source", Path(folder) / "go.mod"
        # Go's `-overlay` refuses files of the module cache. The cache is read-only, and so is a plain copy of it.
        shutil.copytree(module_source(project, go, environment), copy, copy_function=shutil.copyfile)
        for directory in (copy, *copy.rglob("*/")):
            directory.chmod(0o755)
        for name in project.placeholders:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).touch()
        for file in ("go.mod", "go.sum"):
            shutil.copyfile(project.folder / file, pinned.with_name(file))
        subprocess.run([go, "mod", "edit", f"-replace={project.module}={copy}", pinned], env=environment, check=True)
        yield [f"-modfile={pinned}"]


def module_source(project: Project, go: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of a project's own module, downloading it if necessary.

    Args:
        project: The project.
        go: Path of the command `go`.
        environment: Environment of the process.

    Raises:
        subprocess.CalledProcessError: The module cannot be downloaded. Go's output has the cause.
    """
    downloaded = subprocess.run(
        [go, "mod", "download", "-json", project.module],
        cwd=project.folder,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Path(json.loads(downloaded.stdout)["Dir"])


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    """Allow only one process to build at a time, because a linker takes gigabytes of memory."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _print(line: str) -> None:
    sys.stderr.write(f"binaries: {line}\n")
