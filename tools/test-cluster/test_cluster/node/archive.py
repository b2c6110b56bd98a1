"""Writes images of static programs without a container engine."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_archive(
    target: Path, reference: str, files: Mapping[str, Path], *, entrypoint: Sequence[str], user: str = "65532:65532"
) -> None:
    """Write an image with one layer in the format of `docker save`.

    Args:
        target: Path of the archive.
        reference: Name and tag of the image.
        files: Source file of each absolute path in the image.
        entrypoint: Program and arguments.
        user: Numeric user and group, so that Kubernetes can check `runAsNonRoot`.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as content:
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        content.addfile(folder)
        for path, source in files.items():
            content.add(source, arcname=path.lstrip("/"))
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    configuration = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "User": user},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": [f"{digest}.tar"]}]
    with tarfile.open(target, "w") as archive:
        _add(archive, name, configuration)
        _add(archive, f"{digest}.tar", layer.getvalue())
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
