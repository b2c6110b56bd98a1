"""Finds and reads the files of a folder. Whatever else has the name of a YAML file is refused, and is never opened."""

import errno
import os
import select
import stat
from io import RawIOBase
from pathlib import Path
from typing import IO

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.core.text import printable

#: Maximum size of a file. A ConfigMap has at most 1 MiB, and 30,000 schedules fit into this limit.
MAX_BYTES = 16_000_000
#: Time of the last change in ns, size in bytes, number of the file.
Stamp = tuple[int, int, int]

_KINDS = (
    (stat.S_ISDIR, "a folder", "move its files up, because only files directly in the schedules folder are read"),
    (stat.S_ISFIFO, "a named pipe", "replace it by a file"),
    (stat.S_ISSOCK, "a socket", "remove it, or give it another name"),
    (stat.S_ISCHR, "a device", "replace it by a file"),
    (stat.S_ISBLK, "a device", "replace it by a file"),
)
_FIXES = {
    errno.ENOENT: "correct the name",
    errno.EACCES: "allow the scheduler's user to read it, and to search the folders of its path (chmod)",
    errno.EPERM: "allow the scheduler's user to read it (chmod)",
    errno.ELOOP: "its symlinks form a loop; let them point to a file",
    errno.EWOULDBLOCK: "another program holds it; it is read when that program releases it",
    errno.ETIMEDOUT: "check the disk or the network file system",
    errno.EIO: "check the disk or the network file system",
    errno.ESTALE: "mount the network file system again",
    errno.ENAMETOOLONG: "let its symlink point to a shorter path",
}


class EntryError(FinanceHubError, OSError):
    """An entry of the folder is refused. The message says why and what to do."""


def display_name(path: Path) -> str:
    r"""Return the name of an entry for messages, with escapes such as `\xe9` for what is not printable."""
    return printable(os.fsencode(path.name).decode("utf-8", "backslashreplace"))


def list_names(folder: Path) -> list[Path]:
    """Return the entries of a folder that have the name of a YAML file, sorted.

    Files whose names begin with a dot are editors' temporary files, or the kubelet's `..data`.

    Raises:
        OSError: The folder cannot be read.
    """
    return [
        path for path in sorted(folder.iterdir()) if path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")
    ]


def stamp_of(path: Path) -> Stamp | None:
    """Return what identifies the content of a file, or None if it does not exist.

    Raises:
        OSError: It is not a file that can be read.
    """
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise EntryError("its name is not in UTF-8; rename it") from None
    try:
        status = path.stat()
    except FileNotFoundError:
        if not path.is_symlink():
            return None  # it was deleted after it was listed
        target = os.fsencode(path.readlink()).decode("utf-8", "backslashreplace")
        raise EntryError(
            f"it is a symlink to {printable(target)}, which does not exist; correct or remove it"
        ) from None
    _require_file(status)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        FileNotFoundError: It was deleted in the meantime.
        OSError: It cannot be read.
    """
    # A pipe that has replaced the file in the meantime is not waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        _require_file(os.fstat(descriptor))
        content = file.read(MAX_BYTES + 1)
    if content is None:
        raise BlockingIOError(errno.EWOULDBLOCK, "it has nothing to read yet")
    return decode(content)


def read_any(path: Path, patience: float) -> str:
    """Return the text of a file, or of a pipe that another program writes, such as `<(helm template …)` in a shell.

    Args:
        path: The file or the pipe.
        patience: Seconds to wait until a program opens the pipe. A program that has opened it may take longer.

    Raises:
        OSError: It cannot be read.
    """
    # Opening a pipe would otherwise wait until a program opens it for writing.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        first = _first_part(descriptor, patience) if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else b""
        os.set_blocking(descriptor, True)
        return read_stream(file, first)


def read_stream(file: IO[bytes] | RawIOBase, first: bytes = b"") -> str:
    """Return the text of a stream, of which no more is read than a file may have.

    Args:
        file: The stream.
        first: What was read of it before.

    Raises:
        EntryError: It is too large, or its encoding is not UTF-8.
    """
    content = bytearray(first)
    while len(content) <= MAX_BYTES and (part := file.read(MAX_BYTES + 1 - len(content))):
        content += part
    return decode(bytes(content))


def _first_part(descriptor: int, patience: float) -> bytes:
    """Wait until a program writes a pipe, and return what it has written; nothing if it has not written yet.

    Raises:
        EntryError: No program has opened it.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    has_ended = bool(poll.poll(patience * 1000))
    try:
        first = os.read(descriptor, MAX_BYTES)
    except BlockingIOError:  # a program has opened it, and takes its time
        return b""
    if not first and not has_ended:
        raise EntryError("it is a named pipe that no program writes; start that program first, or name a file")
    return first


def decode(content: bytes) -> str:
    """Return the text of a file.

    Raises:
        EntryError: It is too large, or its encoding is not UTF-8.
    """
    if len(content) > MAX_BYTES:
        raise EntryError(f"it is larger than {MAX_BYTES:,} bytes; split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise EntryError(f"line {line} is not in UTF-8; save the file in UTF-8") from None


def explain(error: OSError) -> str:
    """Return why an entry is refused and what to do, in one sentence."""
    if isinstance(error, EntryError):
        return str(error)
    number = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno or errno.EIO
    reason = str(error.strerror or error)
    return f"it cannot be read ({reason}); {_FIXES.get(number, 'check the file and its disk')}"


def _require_file(status: os.stat_result) -> None:
    for is_kind, name, fix in _KINDS:
        if is_kind(status.st_mode):
            raise EntryError(f"it is {name} and not a file; {fix}")
    if not stat.S_ISREG(status.st_mode):
        raise EntryError("it is not a file; replace it by one")
    if status.st_size > MAX_BYTES:
        raise EntryError(f"it is larger than {MAX_BYTES:,} bytes; split it")
