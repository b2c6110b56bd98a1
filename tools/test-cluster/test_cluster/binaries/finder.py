"""Finds programs on this machine: in envtest's folder, in the cache, or on the PATH."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from test_cluster.binaries.programs import Program, Project

#: Folder of Go's own installer. Not every shell has it on its PATH.
_GO_HOME = "/usr/local/go/bin"


def cache_folder(project: Project, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for the programs of one version of a project.

    Args:
        project: The project.
        environment: Environment of the process.
    """
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "financehub" / project.key


def find(program: Program, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the path of a program, or None if it is missing.

    Args:
        program: The program.
        environment: Environment of the process.
    """
    folders = [Path(assets)] if (assets := environment.get("KUBEBUILDER_ASSETS")) else []
    if program.project is not None:
        folders.append(cache_folder(program.project, environment))
    # A program on the PATH has an arbitrary version, so it is used only if its version is not pinned.
    path = [*map(str, folders), *([environment.get("PATH", os.defpath)] if program.project is None else [])]
    found = shutil.which(program.name, path=os.pathsep.join(path))
    return Path(found) if found else None


def program(wanted: Program) -> Path:
    """Return the path of a program.

    Args:
        wanted: The program.

    Raises:
        FileNotFoundError: The program is missing. The message explains how to install it.
    """
    found = find(wanted)
    if found is None:
        raise FileNotFoundError(describe_missing([wanted]))
    return found


def go(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the path of the command `go`, or None if it is missing.

    Args:
        environment: Environment of the process.
    """
    found = shutil.which("go", path=os.pathsep.join([environment.get("PATH", os.defpath), _GO_HOME]))
    return Path(found) if found else None


def describe_missing(programs: Iterable[Program], environment: Mapping[str, str] = os.environ) -> str:
    """Return one line that names the missing programs and how to install them, or "" if none is missing.

    Args:
        programs: The required programs.
        environment: Environment of the process.
    """
    missing = [program for program in programs if find(program, environment) is None]
    if not missing:
        return ""
    built = (
        "run `make binaries`" if go(environment) else "install Go, then run `make binaries`, or set KUBEBUILDER_ASSETS"
    )
    hints = dict.fromkeys(program.hint or built for program in missing)
    return f"not found: {', '.join(program.name for program in missing)}; {'; '.join(hints)}"
