"""Provides axe-core, which finds barriers for people with disabilities. It is downloaded once, and has a known hash."""

import base64
import hashlib
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

_VERSION = "4.14.1"
_INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "financehub"


def axe_script() -> Path:
    """Return the path of the script.

    Raises:
        AssertionError: The archive of the registry has another hash.
    """
    script = _CACHE / f"axe-core-{_VERSION}.min.js"
    if not script.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE) as folder:
            subprocess.run(["npm", "pack", "--silent", f"axe-core@{_VERSION}"], cwd=folder, check=True)
            archive = Path(folder) / f"axe-core-{_VERSION}.tgz"
            digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            assert f"sha512-{digest}" == _INTEGRITY, f"axe-core {_VERSION} has the hash sha512-{digest}"
            with tarfile.open(archive) as members:
                members.extract("package/axe.min.js", folder, filter="data")
            (Path(folder) / "package" / "axe.min.js").replace(script)
    return script
