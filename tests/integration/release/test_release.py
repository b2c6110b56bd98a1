"""Tests that a release is complete, depends on its commit only, and works when it is installed from its files."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from releasing import source
from releasing.build import build
from releasing.version import ROOT
from support.chart import render
from test_cluster.images.build import IMAGES

# uv may have to download distributions that are not in its cache.
pytestmark = [pytest.mark.release, pytest.mark.timeout(900)]

UV = Path(sys.executable).with_name("uv")
INVENTORY = ROOT / "tools/test-cluster/test_cluster/images/inventory.py"
DISTRIBUTIONS = {"shared", "cli", *(name.replace("-", "_") for name in IMAGES)}


def _version_of(release: Path) -> str:
    """The version of the release, which is that of the commit and not necessarily that of the checkout."""
    (chart,) = list(release.glob("financehub-*.tgz"))
    return chart.stem.removeprefix("financehub-")


def test_release_has_all_files(release: Path) -> None:
    """A release has a wheel and an sdist of each distribution, the chart, the image list, documents and checksums."""
    version = _version_of(release)
    expected = {"images.txt", "SHA256SUMS", "CHANGELOG.md", "LICENSE", "NOTICE", "SECURITY.md", "COMMIT"}
    expected |= {f"financehub-{version}.tgz"}
    for name in DISTRIBUTIONS:
        expected |= {f"financehub_{name}-{version}-py3-none-any.whl", f"financehub_{name}-{version}.tar.gz"}
    assert {path.name for path in release.iterdir()} == expected
    commit = (release / "COMMIT").read_text(encoding="utf-8").strip()
    assert source.id_of(commit) == commit


def test_checksums_cover_every_file(release: Path) -> None:
    """`sha256sum --check` accepts the checksums, and every other file has one."""
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=release, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == len(list(release.iterdir())) - 1


def test_second_build_of_a_commit_has_the_same_checksums(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release depends on the commit only: not on the time, the time zone, the umask or the order of hashes."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    before = os.umask(0o077)
    try:
        sums = build(tmp_path / "again", commit=(release / "COMMIT").read_text().strip(), with_sboms=False)
    finally:
        os.umask(before)
    assert sums.read_text(encoding="utf-8") == (release / "SHA256SUMS").read_text(encoding="utf-8")


def test_images_of_the_list_are_those_of_the_chart(release: Path) -> None:
    """The list names each image of FinanceHub with the version, and the servers, and nothing else."""
    version = _version_of(release)
    lines = (release / "images.txt").read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))
    own = {line for line in lines if line.startswith("financehub/")}
    assert own == {f"financehub/{image}:{version}" for image in IMAGES}
    assert {line.rpartition("/")[2].partition(":")[0] for line in set(lines) - own} >= {"redis"}
    assert all("@sha256:" in line or not line.endswith(":latest") for line in lines)


def _archive(release: Path) -> Path:
    return release / f"financehub-{_version_of(release)}.tgz"


def test_packaged_chart_renders_what_its_folder_renders(release: Path, tmp_path: Path) -> None:
    """The packaged chart lacks no file, and its additions change no manifest."""
    import helm_python

    source.export((release / "COMMIT").read_text().strip(), tmp_path)
    folder = helm_python.Chart.load(tmp_path / "deploy/helm/financehub")
    packaged = helm_python.Chart.load(_archive(release))
    for values in ({}, {"simulator": {"enabled": True}}, {"metrics": {"prometheusRule": {"enabled": True}}}):
        before, after = (render(values, of=chart) for chart in (folder, packaged))
        assert after.documents == before.documents
        assert after.notes == before.notes


def test_packaged_chart_has_the_lists_for_catalogs(release: Path) -> None:
    """The annotations of the packaged chart name the same images as images.txt, and the changes of the version."""
    with tarfile.open(_archive(release)) as archive:
        names = archive.getnames()
        metadata = yaml.safe_load(archive.extractfile("financehub/Chart.yaml"))  # type: ignore[arg-type]
    assert {"financehub/LICENSE", "financehub/NOTICE", "financehub/values.schema.json"} <= {*names}
    listed = {each["image"] for each in yaml.safe_load(metadata["annotations"]["artifacthub.io/images"])}
    assert listed == {*(release / "images.txt").read_text(encoding="utf-8").splitlines()}
    assert yaml.safe_load(metadata["annotations"]["artifacthub.io/changes"])


@pytest.mark.parametrize("service", IMAGES)
def test_wheel_of_a_service_works_in_an_empty_environment(release: Path, tmp_path: Path, service: str) -> None:
    """With its requirement file, the wheels of a release are all that a service needs, and every module imports."""
    python = tmp_path / "venv/bin/python"
    _uv("venv", "--python", sys.executable, str(tmp_path / "venv"))
    requirements = ROOT / "requirements" / f"{service}.txt"
    _uv("pip", "install", "--python", str(python), "--require-hashes", "--no-deps", "--requirement", str(requirements))
    distribution = f"financehub-{service}=={_version_of(release)}"
    # Without an index, a dependency that is missing in the requirement file cannot be found.
    _uv("pip", "install", "--python", str(python), "--no-index", "--find-links", str(release), distribution)
    done = subprocess.run([python, "-c", _SCRIPT, INVENTORY.parent], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["broken"] == {}
    assert f"financehub_{service.replace('-', '_')}" in found["own"]
    assert {*found["versions"].values()} == {_version_of(release)}
    if "financehub_cli" in found["own"]:
        command = [python.with_name("financehub"), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == f"financehub {_version_of(release)}\n"


#: Imports every module of FinanceHub's distributions in the environment.
_SCRIPT = """
import importlib.metadata, importlib.util, json, sys
sys.path.insert(0, sys.argv[1])
import inventory
own = [package for package in inventory.OWN if importlib.util.find_spec(package) is not None]
versions = {one: importlib.metadata.version(one) for one in own}
print(json.dumps({"own": own, "versions": versions, "broken": inventory.broken(own)}))
"""


def _uv(*arguments: str) -> None:
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run([UV, *arguments, "--quiet"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
