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
        environment = {**environment, "CGO_ENABLED": "0", "GOWORK": "off"}
        command = [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags", project.linker_flags]
        package = "/".join(filter(None, (project.module, program.package)))
        try:
            with _completed(project, go, environment) as options:
                subprocess.run(
                    [*command, f"-tags={','.join(project.tags)}", *options, "-o", str(unfinished), package],
                    cwd=project.folder,
                    env=environment,
                    check=True,
                )
        except (OSError, subprocess.CalledProcessError) as error:
            raise BuildError(f"cannot build {program.name} {project.version}: {error}") from error
        unfinished.rename(folder / program.name)
        _say(f"built {folder / program.name} in {time.monotonic() - began:.0f} s")


@contextmanager
def _completed(project: Project, go: Path, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Options with which Go builds the project from a copy of its module that has the placeholders."""
    if not project.placeholders:
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        copy, pinned = Path(folder) / "source", Path(folder) / "go.mod"
        # Go's `-overlay` refuses files of the module cache, and the cache is read-only, as is a plain copy of it
        shutil.copytree(module_source(project, go, environment), copy, copy_function=shutil.copyfile)
        for each in (copy, *copy.rglob("*/")):
            each.chmod(0o755)
        for name in project.placeholders:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).touch()
        for file in ("go.mod", "go.sum"):
            shutil.copyfile(project.folder / file, pinned.with_name(file))
        subprocess.run([go, "mod", "edit", f"-replace={project.module}={copy}", pinned], env=environment, check=True)
        yield [f"-modfile={pinned}"]


def module_source(project: Project, go: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of a project's own module, downloaded unless Go has it.

    Args:
        project: which.
        go: Go's command.
        environment: of the process.

    Raises:
        subprocess.CalledProcessError: it cannot be downloaded; Go has said why.
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
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time: a linker takes gigabytes."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(line: str) -> None:
    sys.stderr.write(f"binaries: {line}\n")
