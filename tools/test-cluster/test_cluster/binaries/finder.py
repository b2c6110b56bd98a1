"""Where a program is on this machine: beside envtest's, in the cache, or on the PATH."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from test_cluster.binaries.programs import Program, Project

#: Where Go's own installer puts it, which not every shell has on its PATH.
_GO_HOME = "/usr/local/go/bin"


def cache_folder(project: Project, environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of the programs of one version of a project.

    Args:
        project: which.
        environment: of the process.
    """
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "financehub" / project.key


def find(program: Program, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The program's path, or None.

    Args:
        program: which.
        environment: of the process.
    """
    folders = [Path(assets)] if (assets := environment.get("KUBEBUILDER_ASSETS")) else []
    if program.project is not None:
        folders.append(cache_folder(program.project, environment))
    # what is on the PATH has a version of its own; good enough for what we do not pin
    path = [*map(str, folders), *([environment.get("PATH", os.defpath)] if program.project is None else [])]
    found = shutil.which(program.name, path=os.pathsep.join(path))
    return Path(found) if found else None


def program(wanted: Program) -> Path:
    """The program's path.

    Args:
        wanted: which.

    Raises:
        FileNotFoundError: it is not there; the message says how to get it.
    """
    found = find(wanted)
    if found is None:
        raise FileNotFoundError(lacking([wanted]))
    return found


def go(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Go's command, or None.

    Args:
        environment: of the process.
    """
    found = shutil.which("go", path=os.pathsep.join([environment.get("PATH", os.defpath), _GO_HOME]))
    return Path(found) if found else None


def lacking(programs: Iterable[Program], environment: Mapping[str, str] = os.environ) -> str:
    """One line on which programs are not there and how to get them; empty when all are.

    Args:
        programs: what is needed.
        environment: of the process.
    """
    missing = [program for program in programs if find(program, environment) is None]
    if not missing:
        return ""
    built = (
        "run `make binaries`" if go(environment) else "install Go, then run `make binaries`, or set KUBEBUILDER_ASSETS"
    )
    hints = dict.fromkeys(program.hint or built for program in missing)
    return f"not found: {', '.join(program.name for program in missing)}; {'; '.join(hints)}"
