"""Entries of the folder that are not files that can be read: each is refused with a fix, and the others run."""

import fcntl
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from support.schedule_folder import WatchedFolder
from support.schedules import resource, write


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _long_target(path: Path) -> None:
    path.symlink_to("x" * 300)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20_000_000)


#: What is in the folder → how it is made, and what its refusal says: the problem and the fix.
ENTRIES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "named pipe": (_fifo, "it is a named pipe and not a file", "replace it by a file"),
    "socket": (_socket, "it is a socket and not a file", "remove it"),
    "endless device": (lambda path: path.symlink_to("/dev/zero"), "it is a device and not a file", "replace it"),
    "empty device": (lambda path: path.symlink_to("/dev/null"), "it is a device and not a file", "replace it"),
    "folder": (Path.mkdir, "it is a folder and not a file", "move its files up"),
    "symlink to a folder": (lambda path: path.symlink_to("/usr"), "it is a folder and not a file", "move its files"),
    "symlink to a pipe": (
        lambda path: (os.mkfifo(path.with_name("pipe")), path.symlink_to("pipe")),
        "it is a named pipe",
        "replace it by a file",
    ),
    "dangling symlink": (lambda path: path.symlink_to("nowhere"), "to nowhere, which does not exist", "remove it"),
    "symlink through a file": (lambda path: path.symlink_to("good.yaml/x"), "Not a directory", "check the file"),
    "loop of symlinks": (_loop, "Too many levels of symbolic links", "let them point to a file"),
    "symlink to too long a name": (_long_target, "File name too long", "shorter path"),
    "file that is too large": (_huge, "it is larger than 16,000,000 bytes", "split it"),
    "file in Latin-1": (
        lambda path: path.write_bytes(b"a: 1\nb: caf\xe9\n"),
        "line 2 is not in UTF-8",
        "save the file",
    ),
    "file in UTF-16": (lambda path: path.write_text("a: 1", "utf-16"), "line 1 is not in UTF-8", "save the file"),
    "memory of the process": (lambda path: path.symlink_to("/proc/self/mem"), "it cannot be read", "check the disk"),
}


@pytest.mark.parametrize(("make", "problem", "fix"), ENTRIES.values(), ids=ENTRIES)
def test_look_at_an_odd_entry_refuses_it_and_reads_the_others(
    tmp_path: Path, make: Callable[[Path], object], problem: str, fix: str
) -> None:
    """An entry that is not a readable file is refused by its name, with the problem and the fix, and the others run."""
    write(tmp_path, resource("a"), file="good.yaml")
    make(tmp_path / "odd.yaml")
    write(tmp_path, resource("b"), file="other.yml")
    folder = WatchedFolder(tmp_path)
    assert folder.look() == ({"default/a", "default/b"}, 0)
    (refusal,) = folder.source.refused.items()
    assert refusal[0] == "odd.yaml"
    assert problem in refusal[1]
    assert fix in refusal[1].partition(problem)[2]


def test_look_at_a_name_that_is_not_utf_8_refuses_it_in_printable_letters(tmp_path: Path) -> None:
    """A name in another encoding is refused, and shown with escapes, so that every log and terminal can show it."""
    write(tmp_path, resource("a"))
    (tmp_path / os.fsdecode(b"caf\xe9.yaml")).write_text("a: 1\n")
    folder = WatchedFolder(tmp_path)
    assert folder.look() == ({"default/a"}, 0)
    assert folder.source.refused == {"caf\\xe9.yaml": "its name is not in UTF-8; rename it"}


def test_look_at_a_name_with_a_line_break_shows_an_escape(tmp_path: Path) -> None:
    """A name that could look like another line of a log is shown with escapes."""
    (tmp_path / "a\nb.yaml").write_text("kind: [\n")
    folder = WatchedFolder(tmp_path)
    folder.look()
    assert set(folder.source.refused) == {"a\\nb.yaml:1"}


@pytest.mark.parametrize("content", [b"a: \x00", b"\x00" * 5000, b"a: \x1b[2J", b"\xff\xfe\x00"])
def test_look_at_a_file_with_control_characters_refuses_it(tmp_path: Path, content: bytes) -> None:
    """A file that is not text is refused, and the others run."""
    (tmp_path / "odd.yaml").write_bytes(content)
    write(tmp_path, resource("a"))
    folder = WatchedFolder(tmp_path)
    assert folder.look() == ({"default/a"}, 0)
    assert len(folder.source.refused) == 1
    assert next(iter(folder.source.refused.values())).isprintable()


def test_look_at_a_file_that_another_program_holds_reads_it_when_it_is_free(tmp_path: Path) -> None:
    """A file whose opening would wait is refused at once, and read when the other program has released it."""
    path = write(tmp_path, resource("a"), file="held.yaml")
    write(tmp_path, resource("b"))
    holder = os.open(path, os.O_RDWR)
    # Ignore the signal with which the kernel asks for the release, as a program that hangs would.
    previous = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        folder = WatchedFolder(tmp_path)
        assert folder.look() == ({"default/b"}, 0)
        assert "another program holds it" in folder.source.refused["held.yaml"]
        fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        assert folder.look() == ({"default/a"}, 0)
        assert folder.source.refused == {}
    finally:
        os.close(holder)
        signal.signal(signal.SIGIO, previous)


def test_look_at_an_entry_that_becomes_readable_reads_it(tmp_path: Path) -> None:
    """An entry that was refused is read as soon as it is a file, and its refusal ends."""
    (tmp_path / "late.yaml").symlink_to("target")
    folder = WatchedFolder(tmp_path)
    assert folder.look() == (set(), 0)
    write(tmp_path, resource("a"), file="target")
    assert folder.look() == ({"default/a"}, 0)
    assert folder.source.refused == {}


def test_look_at_a_file_that_becomes_odd_keeps_its_schedules(tmp_path: Path) -> None:
    """If a file is replaced by a pipe, its schedules stay, because nothing says that they should go."""
    path = write(tmp_path, resource("a"))
    folder = WatchedFolder(tmp_path)
    assert folder.look() == ({"default/a"}, 0)
    path.unlink()
    os.mkfifo(path)
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 0))
    path.unlink()
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 1))


def test_look_at_thousands_of_mistakes_reports_the_first_ones(tmp_path: Path) -> None:
    """A generated file with a mistake in each document does not fill the log: the others are counted."""
    write(tmp_path, *(resource(f"a{number}", schedule="nonsense") for number in range(1_000)))
    folder = WatchedFolder(tmp_path)
    folder.look()
    assert len(folder.source.refused) == 101
    assert folder.source.refused["schedules.yaml:…"] == "900 more mistakes; correct the others first"
