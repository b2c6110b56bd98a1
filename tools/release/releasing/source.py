"""The source of a release: the files of one commit, without what is not committed."""

import io
import subprocess
import tarfile
from pathlib import Path

from releasing.errors import ReleaseError
from releasing.version import ROOT


def export(commit: str, folder: Path, root: Path = ROOT) -> None:
    """Write the files of a commit into a folder.

    Args:
        commit: A commit, a tag or a branch.
        folder: An existing, empty folder.
        root: The repository.

    Raises:
        ReleaseError: The repository does not contain the commit.
    """
    with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", "--format=tar", commit))) as archive:
        archive.extractall(folder, filter="data")


def time_of(commit: str, root: Path = ROOT) -> int:
    """Return the time of a commit in Unix seconds, which becomes the time of every file of the release.

    Args:
        commit: A commit, a tag or a branch.
        root: The repository.

    Raises:
        ReleaseError: The repository does not contain the commit.
    """
    return int(_git(root, "log", "-1", "--format=%ct", commit))


def id_of(commit: str, root: Path = ROOT) -> str:
    """Return the full id of a commit.

    Args:
        commit: A commit, a tag or a branch.
        root: The repository.

    Raises:
        ReleaseError: The repository does not contain the commit.
    """
    return _git(root, "rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()


def uncommitted(root: Path = ROOT) -> int:
    """Return the number of tracked files that differ from the commit, and of new files that are not ignored.

    Args:
        root: The repository.
    """
    return len(_git(root, "status", "--porcelain").splitlines())


def _git(root: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.decode().strip().partition("\n")[0]
        raise ReleaseError(f"`git {' '.join(arguments)}` failed: {reason}; name a commit of a git clone")
    return done.stdout
