"""Writes SHA256SUMS, which `sha256sum --check` reads."""

import hashlib
from pathlib import Path

NAME = "SHA256SUMS"


def write(folder: Path) -> Path:
    """Write the checksum of every other file of a folder, in the order of their names, and return the file.

    Args:
        folder: The folder.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    sums = [(hashlib.sha256(path.read_bytes()).hexdigest(), path.relative_to(folder).as_posix()) for path in files]
    (folder / NAME).write_text("".join(f"{sum}  {name}\n" for sum, name in sums), encoding="utf-8")
    return folder / NAME
