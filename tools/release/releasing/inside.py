"""Prints what an image contains as JSON. It runs in a container and needs only the image's Python."""

import importlib.metadata
import json
import platform
import re
import sys
import sysconfig
from pathlib import Path

_DPKG = Path("/var/lib/dpkg/status")
_FIELDS = ("Package", "Version", "Architecture", "Source")
_SCRIPTS = "financehub_web/console/static/vendor/vendor.json"
_OS = Path("/etc/os-release")


def distributions() -> list[dict[str, object]]:
    """Return every Python distribution of the virtual environment and of the Python below it."""
    below = {sysconfig.get_path("purelib", vars={"base": sys.base_prefix, "installed_base": sys.base_prefix})}
    below |= {str(path) for path in Path(sys.base_prefix).glob("lib/python3*/*-packages")}
    found: dict[tuple[str, str], dict[str, object]] = {}
    for path in [*sys.path, *sorted(below)]:
        for one in importlib.metadata.distributions(path=[path]) if path else ():
            found.setdefault(
                (one.metadata["Name"], one.version),
                {
                    "name": one.metadata["Name"],
                    "version": one.version,
                    "summary": _field(one, "Summary"),
                    "license_expression": _field(one, "License-Expression"),
                    "requires": one.requires or [],
                    "folder": path,
                },
            )
    return sorted(found.values(), key=lambda one: (str(one["name"]).lower(), str(one["version"])))


def _field(one: importlib.metadata.Distribution, name: str) -> str:
    return one.metadata[name] if name in one.metadata else ""  # noqa: SIM401 — its type has no method get


def debian_packages() -> list[dict[str, str]]:
    """Return the installed packages of Debian, or an empty list on another system."""
    if not _DPKG.exists():
        return []
    found = []
    for paragraph in _DPKG.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found.append({name.lower(): fields.get(name, "") for name in _FIELDS})
    return sorted(found, key=lambda one: one["package"])


def scripts() -> list[dict[str, str]]:
    """Return the JavaScript libraries of the console, from the list that `make vendor` writes beside them."""
    found = [path for folder in sys.path if folder for path in sorted(Path(folder).glob(_SCRIPTS))]
    return [
        {name: one[name] for name in ("name", "version", "license")}
        for path in found[:1]
        for one in json.loads(path.read_text(encoding="utf-8"))
    ]


def operating_system() -> dict[str, str]:
    """Return the name and version of the operating system."""
    lines = _OS.read_text(encoding="utf-8").splitlines() if _OS.exists() else []
    fields = {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    return {"id": fields.get("ID", ""), "version": fields.get("VERSION_ID", ""), "name": fields.get("PRETTY_NAME", "")}


def main() -> None:
    """Print the inventory."""
    inventory = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": operating_system(),
        "distributions": distributions(),
        "packages": debian_packages(),
        "scripts": scripts(),
    }
    sys.stdout.write(json.dumps(inventory))


if __name__ == "__main__":
    main()
