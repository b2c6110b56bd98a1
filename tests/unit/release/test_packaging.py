"""Tests of the small parts of a release: the archive of the chart, the image list, checksums and the source."""

import io
import re
import subprocess
import tarfile
from pathlib import Path

import helm_python
import pytest
import yaml

from releasing import checksums, image_list, source
from releasing.chart import normalized
from releasing.distributions import folders
from releasing.errors import ReleaseError
from releasing.version import ROOT
from support.chart import CHART
from test_cluster.images.build import IMAGES


def test_normalized_archive_has_the_same_files_and_one_time(tmp_path: Path) -> None:
    """The archive keeps the names and contents that Helm wrote, in the order of names, and Helm reads it."""
    packaged = Path(helm_python.package(CHART, destination=tmp_path))
    text = normalized(packaged.read_bytes(), 1_790_000_000)
    with tarfile.open(packaged) as before, tarfile.open(fileobj=io.BytesIO(text)) as after:
        assert {entry.name for entry in after} == {entry.name for entry in before}
        assert after.getnames() == sorted(after.getnames())
        assert {(entry.mtime, entry.mode, entry.uid, entry.uname) for entry in after} == {(1_790_000_000, 0o644, 0, "")}
        for name in after.getnames():
            assert after.extractfile(name).read() == before.extractfile(name).read()  # type: ignore[union-attr]
    packaged.write_bytes(text)
    assert helm_python.Chart.load(packaged).name == "financehub"


def test_image_list_contains_the_digests_that_are_known() -> None:
    """A mirror can copy each line as it is: sorted, and with the digest of an image that a registry has."""
    text = image_list.text(["redis:7", "financehub/web:1.2.3"], {"redis:7": "sha256:12"})
    assert text == "financehub/web:1.2.3\nredis:7@sha256:12\n"


def test_images_of_the_chart_include_each_own_image_and_each_server() -> None:
    """The rendered chart has each of FinanceHub's own images, and one for each server that the schema allows."""
    found = image_list.read_images(CHART)
    assert image_list.own(found).keys() == {*IMAGES}
    with helm_python.Chart.load(CHART) as chart:
        servers = [each["redis"]["server"] for each in image_list.variants(chart) if "redis" in each]
    assert found.keys() - {*IMAGES} == {"redis", *servers}


def test_image_with_a_digest_or_a_registry_is_named_after_its_repository(tmp_path: Path) -> None:
    """Registry, port, tag and digest are not part of the name."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: one\nversion: 1.0.0\n", encoding="utf-8")
    references = ["localhost:5000/team/web:1.2", "docker.io/library/redis@sha256:00", "valkey"]
    first, *others = ([{"image": reference}] for reference in references)
    pod = {"kind": "Pod", "spec": {"initContainers": first, "containers": [one for each in others for one in each]}}
    (tmp_path / "templates/pod.yaml").write_text(yaml.safe_dump(pod), encoding="utf-8")
    web, redis, valkey = references
    assert image_list.read_images(tmp_path) == {"redis": redis, "valkey": valkey, "web": web}


def test_checksums_are_of_all_other_files(tmp_path: Path) -> None:
    """SHA256SUMS lists the files in the order of their names, and not itself, also when it is written again."""
    for name in ("b", "a"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    first = checksums.write(tmp_path).read_text(encoding="utf-8")
    assert [line.partition("  ")[2] for line in first.splitlines()] == ["a", "b"]
    assert checksums.write(tmp_path).read_text(encoding="utf-8") == first


def test_every_folder_of_the_workspace_is_a_distribution() -> None:
    """The distributions are the members of the workspace in pyproject.toml."""
    names = {path.relative_to(ROOT).as_posix() for path in folders(ROOT)}
    assert names == {"shared", "cli", *(f"services/{image}" for image in IMAGES)}


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@financehub.example"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "file").write_text("committed", encoding="utf-8")
    _git(folder, "init")
    _git(folder, "add", "file")
    _git(folder, "commit", "--message", "One", "--date", "2026-01-01T00:00:00Z")
    return folder


def test_export_contains_only_what_is_committed(repository: Path, tmp_path: Path) -> None:
    """A change and a new file that are not committed are counted, and are not in the release."""
    assert source.uncommitted(repository) == 0
    (repository / "file").write_text("changed", encoding="utf-8")
    (repository / "new").write_text("new", encoding="utf-8")
    assert source.uncommitted(repository) == 2
    (tmp_path / "export").mkdir()
    source.export("HEAD", tmp_path / "export", repository)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in (tmp_path / "export").iterdir()] == [
        ("file", "committed")
    ]


@pytest.mark.parametrize("commit", ["nowhere", "v9.9.9"])
def test_unknown_commit_is_refused(repository: Path, tmp_path: Path, commit: str) -> None:
    """A commit that the repository does not have is named, with git's reason."""
    message = rf"{re.escape(commit)}.*; name a commit"
    for read in (source.time_of, source.id_of):
        with pytest.raises(ReleaseError, match=message):
            read(commit, repository)
    with pytest.raises(ReleaseError, match=message):
        source.export(commit, tmp_path, repository)
