"""Packages the chart: what `helm package` writes, with the same bytes whenever it is packaged."""

import gzip
import io
import shutil
import tarfile
import tempfile
from pathlib import Path

import helm_python
import yaml

from releasing.changelog import changes
from releasing.errors import ReleaseError

_FOLDER = Path("deploy") / "helm" / "financehub"
#: These come from the root of the repository.
_LEGAL = ("LICENSE", "NOTICE")


def package(source: Path, output: Path, epoch: int, images: dict[str, str]) -> Path:
    """Package the chart of a checkout, with the lists of its images and changes as annotations, and return the file.

    Args:
        source: The root of the checkout.
        output: An existing folder for the file.
        epoch: The time of every file in the archive, in Unix seconds.
        images: The reference of each image by the name of its component.

    Raises:
        ReleaseError: The chart cannot be packaged, or the changes of its version are not written.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "financehub"
        shutil.copytree(source / _FOLDER, copy)
        for name in _LEGAL:
            shutil.copyfile(source / name, copy / name)
        metadata = yaml.safe_load((copy / "Chart.yaml").read_text(encoding="utf-8"))
        listed = [{"name": name, "image": reference} for name, reference in sorted(images.items())]
        changed = changes(source / "CHANGELOG.md", str(metadata["version"]))
        metadata["annotations"]["artifacthub.io/images"] = yaml.safe_dump(listed, sort_keys=False)
        metadata["annotations"]["artifacthub.io/changes"] = yaml.safe_dump(changed, sort_keys=False, width=10_000)
        (copy / "Chart.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False), encoding="utf-8")
        try:
            packaged = Path(helm_python.package(copy, destination=folder))
        except helm_python.HelmError as error:
            raise ReleaseError(f"{_FOLDER} cannot be packaged: {error}") from error
        target = output / packaged.name
        target.write_bytes(normalized(packaged.read_bytes(), epoch))
    return target


def normalized(archive: bytes, epoch: int) -> bytes:
    """Return a .tgz with the same files in the order of their names, and with one time for all of them.

    Helm writes the time of packaging into each entry.

    Args:
        archive: The content of a .tgz.
        epoch: The time, in Unix seconds.
    """
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as before,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as after,
    ):
        # The order in which Helm found them depends on the file system.
        for entry in sorted(before.getmembers(), key=lambda entry: entry.name):
            copy = tarfile.TarInfo(entry.name)
            copy.size, copy.mtime, copy.mode = entry.size, epoch, 0o644
            after.addfile(copy, before.extractfile(entry))
    return gzip.compress(plain.getvalue(), compresslevel=9, mtime=0)
