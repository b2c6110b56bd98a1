# ruff: noqa: INP001, S603, S607 — a script, which runs the npm of the path
"""Writes the JavaScript libraries of the console into its folder of static files: `make vendor`.

`npm pack` downloads each package with the user's registry. Its archive must have the SHA-512 hash that is stated here,
which is the `dist.integrity` of the registry. A new version is a new row of `PACKAGES` with its hash, which
`npm view NAME@VERSION dist.integrity license` prints.
"""

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "financehub_web" / "console" / "static" / "vendor"


@dataclass(frozen=True, slots=True)
class Package:
    """One package of the registry.

    Args:
        name, version: Name and version in the registry.
        integrity: The hash of its archive as the registry states it.
        license: SPDX identifier of its license.
        files: Path in the archive → name of the file in `FOLDER`.
    """

    name: str
    version: str
    integrity: str
    license: str
    files: Mapping[str, str]


PACKAGES = (
    Package(
        "htmx.org",
        "4.0.1",
        "sha512-oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg==",
        "0BSD",
        {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE.txt"},
    ),
    Package(
        "lightweight-charts",
        "5.2.1",
        "sha512-IVwoK1RLFiLPubaKIjNbtjWLnpPMqiABSrTay6whmNa8L1+19292VtHJ+BWyPUuLCwF0tcQlhEWd1CLB2a1nsQ==",
        "Apache-2.0",
        {
            "dist/lightweight-charts.standalone.production.js": "lightweight-charts.min.js",
            "LICENSE": "lightweight-charts.LICENSE.txt",
        },
    ),
)


def integrity_of(data: bytes) -> str:
    """Return the hash of data in the form of a registry's `dist.integrity`."""
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"


def download(package: Package, folder: Path) -> dict[str, bytes]:
    """Download a package, and return name → content of its vendored files.

    Raises:
        SystemExit: The archive has another hash, or does not contain a file.
    """
    source = f"{package.name}@{package.version}"
    subprocess.run(["npm", "pack", "--silent", source], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    archive = folder / f"{package.name}-{package.version}.tgz"
    if (found := integrity_of(archive.read_bytes())) != package.integrity:
        raise SystemExit(f"{source}: the archive has the hash {found} instead of {package.integrity}")
    contents = {}
    with tarfile.open(archive) as members:
        for path, name in package.files.items():
            member = members.extractfile(f"package/{path}")
            if member is None:
                raise SystemExit(f"{source}: {path} is not a file of the archive")
            contents[name] = member.read()
    return contents


def main() -> None:
    """Replace the vendored files, and list them with their hashes in `vendor.json`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    listing = []
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            contents = download(package, Path(folder))
            for name, content in contents.items():
                (FOLDER / name).write_bytes(content)
            listing.append(
                {
                    "name": package.name,
                    "version": package.version,
                    "license": package.license,
                    "integrity": package.integrity,
                    "files": {name: integrity_of(content) for name, content in contents.items()},
                }
            )
    (FOLDER / "vendor.json").write_text(json.dumps(listing, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
