"""Builds all files of a release from one commit."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from releasing import chart, checksums, distributions, image_list, sbom, source
from releasing.errors import ReleaseError
from releasing.inventory import read_digest, read_inventory
from releasing.licenses import read_table
from releasing.version import read_version
from test_cluster.images.base import PULLED_PYTHON, python_image
from test_cluster.images.build import build_own
from test_cluster.images.engine import EngineError, engine

#: They come from the root of the repository.
_DOCUMENTS = ("CHANGELOG.md", "LICENSE", "NOTICE", "SECURITY.md")
Say = Callable[[str], object]


def build(output: Path, *, commit: str = "HEAD", with_sboms: bool = True, say: Say = sys.stderr.write) -> Path:
    """Build a release into an empty folder, and return the file with its checksums.

    Args:
        output: The folder. Its content is replaced.
        commit: The commit that is built. Changes that are not committed are left out.
        with_sboms: Whether to build the images and describe what is in them, which needs a container engine.
        say: Receives lines for the user.

    Raises:
        ReleaseError: A part cannot be built.
    """
    if commit == "HEAD" and (changed := source.uncommitted()):
        say(f"release: {changed} files have changes that are not committed and therefore not in the release\n")
    # A branch may move during the build.
    commit = source.id_of(commit)
    epoch = source.time_of(commit)
    with tempfile.TemporaryDirectory() as folder:
        checkout, built = Path(folder) / "checkout", Path(folder) / "built"
        checkout.mkdir()
        built.mkdir()
        source.export(commit, checkout)
        version = read_version(checkout)
        images = image_list.read_images(checkout / "deploy" / "helm" / "financehub")
        digests = _describe_images(checkout, built, version, images, epoch, say) if with_sboms else {}
        (built / "images.txt").write_text(image_list.text(images.values(), digests), encoding="utf-8")
        chart.package(checkout, built, epoch, images)
        distributions.build(checkout, built, epoch)
        for name in _DOCUMENTS:
            shutil.copyfile(checkout / name, built / name)
        (built / "COMMIT").write_text(f"{commit}\n", encoding="utf-8")
        checksums.write(built)
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(built, output)
    if not with_sboms:
        say("release: the bills of materials (sbom-*.cdx.json) were left out, because SBOM=no was set\n")
    return output / checksums.NAME


def _describe_images(
    checkout: Path, built: Path, version: str, images: dict[str, str], epoch: int, say: Say
) -> dict[str, str]:
    """Build the images, write the bill of materials of each, and return the known digests by reference."""
    table = read_table(checkout / "tools" / "release" / "licenses.tsv")
    try:
        with engine() as docker:
            if (base := python_image(docker)) != PULLED_PYTHON:
                say(f"release: {PULLED_PYTHON} cannot be pulled, so images and bills have {base} instead\n")
            build_own(docker, version, checkout)
            for name, reference in image_list.own(images).items():
                text = sbom.describe(name, version, read_inventory(docker, reference), table, epoch)
                (built / f"sbom-{name}.cdx.json").write_text(text, encoding="utf-8")
            digests = {reference: read_digest(docker, reference) for reference in images.values()}
    except EngineError as error:
        raise ReleaseError(f"{error}; SBOM=no builds a release without the bills of materials of the images") from error
    return {reference: digest for reference, digest in digests.items() if digest}
