"""A small file system in memory, which a test can fill without filling a disk that others use."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.redis_binaries import give_up


@contextmanager
def small_file_system(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a file system of the given size at a folder. Without root, the test is skipped, and on CI it fails.

    Args:
        folder: Folder that does not exist yet.
        megabytes: Size of the file system.
    """
    if os.geteuid() != 0 or shutil.which("mount") is None:
        give_up("a small file system can be mounted only by root on Linux")
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        give_up(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # A process that still has a file open there must not keep the mount.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Fill a file system to its last byte with one file, and return the file."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as filler:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                continue
    return file
