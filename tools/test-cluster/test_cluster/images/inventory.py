"""Prints the contents of an image as JSON. It runs inside a container and needs only the image's Python."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pkgutil
import platform
import re
import shutil
import sys
from pathlib import Path

ROOT = Path("/opt/financehub")
OWN = (
    "financehub_shared",
    "financehub_cli",
    "financehub_high_priority",
    "financehub_medium_priority",
    "financehub_low_priority",
    "financehub_scheduler",
    "financehub_simulator",
    "financehub_web",
)
#: The licenses of what the image contains.
LEGAL = ("LICENSE", "NOTICE")
#: Modules that are composition roots. Importing one starts its process.
STARTS = ("worker", "__main__")


def modules_of(package: str) -> list[str]:
    """Return the names of all modules of a package that can be imported without starting a process."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    found = pkgutil.walk_packages(spec.submodule_search_locations, f"{package}.")
    return [package, *(module.name for module in found if module.name.rpartition(".")[2] not in STARTS)]


def compiled_at_start() -> list[str]:
    """Return the modules in /opt/financehub that were imported without bytecode."""
    loaded = [(name, getattr(module, "__cached__", None)) for name, module in sys.modules.items()]
    return sorted(
        name for name, cached in loaded if cached and cached.startswith(f"{ROOT}/") and not Path(cached).exists()
    )


def digests() -> dict[str, str]:
    """Return every file's mode, kind and content by its path. Timestamps are omitted, because the engine sets them."""
    found = {}
    for path in sorted(ROOT.rglob("*")):
        what = f"-> {path.readlink()}" if path.is_symlink() else ""
        if not what and path.is_file():
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path)] = f"{path.lstat().st_mode:o} {what}"
    return found


def shipped(distribution: importlib.metadata.Distribution) -> set[Path]:
    """Return the existing files of a distribution: those that its RECORD lists, and the bytecode of its modules."""
    listed = {Path(os.path.normpath(distribution.locate_file(file))) for file in distribution.files or ()}
    bytecode = {Path(importlib.util.cache_from_source(path)) for path in listed if path.suffix == ".py"}
    return {path for path in listed | bytecode if path.exists()}


def own_files(packages: list[str]) -> set[Path]:
    """Return the files of FinanceHub's own distributions, and the licenses."""
    found = {path for one in packages for path in shipped(importlib.metadata.distribution(one))}
    return found | {ROOT / name for name in LEGAL}


def unlisted() -> list[str]:
    """Return the files in /opt/financehub that belong neither to a distribution nor to the virtual environment."""
    ours = {path for one in importlib.metadata.distributions() for path in shipped(one)}
    found = [path for path in ROOT.rglob("*") if path.is_file() and path not in ours]
    environment = re.compile(rf"{ROOT}/({'|'.join(LEGAL)}|pyvenv.cfg|bin/([Aa]ctivate\b.*|python[\d.]*))")
    return sorted(str(path) for path in found if not environment.fullmatch(str(path)))


def broken(packages: list[str]) -> dict[str, str]:
    """Return the modules that cannot be imported, with the reason. Missing optional distributions are not an error."""
    found = {}
    for module in (name for package in packages for name in modules_of(package)):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if importlib.util.find_spec(str(error.name).partition(".")[0]) is not None:
                found[module] = str(error)
    return found


def main() -> None:
    """Print the inventory."""
    own = [package for package in OWN if importlib.util.find_spec(package) is not None]
    files = digests()
    inventory = {
        "python": platform.python_version(),
        "distributions": {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()},
        "own": own,
        "broken": broken(own),
        "files": files,
        "unlisted": unlisted(),
        "own_bytes": sum(path.stat().st_size for path in own_files(own)),
        # This must follow the imports.
        "uncompiled": compiled_at_start(),
        "user": [os.getuid(), os.getgid()],
        "commands": [name for name in ("cc", "gcc", "c++", "make", "git", "uv") if shutil.which(name)],
    }
    sys.stdout.write(json.dumps(inventory))


if __name__ == "__main__":
    main()
