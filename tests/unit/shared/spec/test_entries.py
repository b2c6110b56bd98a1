"""Files and pipes that a user names are read with bounds on time and size."""

import os
import threading
from pathlib import Path

import pytest

from financehub_shared.spec.entries import MAX_BYTES, EntryError, read_any


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_read_any_of_a_pipe_without_a_writer_is_refused(pipe: Path) -> None:
    """Nothing waits for a program that never comes."""
    with pytest.raises(EntryError, match="a named pipe that no program writes; start that program first"):
        read_any(pipe, 0.01)


@pytest.mark.parametrize("text", ["a: 1\n", "", "ä" * 100_000])
def test_read_any_of_a_pipe_with_a_writer_returns_its_text(pipe: Path, text: str) -> None:
    """The whole text is read, also if it is longer than the buffer of a pipe."""
    writer = threading.Thread(target=pipe.write_text, args=(text, "utf-8"))
    writer.start()
    assert read_any(pipe, 30.0) == text
    writer.join()


def test_read_any_of_a_pipe_waits_for_a_slow_writer_that_has_opened_it(pipe: Path) -> None:
    """The patience is for the opening. A program that has opened the pipe may compute before it writes."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(read_any(pipe, 0.0)))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    os.write(writer, b"a: 1")
    os.close(writer)
    thread.join(30.0)
    os.close(reader)
    assert found == ["a: 1"]


def test_read_any_of_an_endless_device_stops_at_the_limit() -> None:
    """No more is read than a file may have."""
    with pytest.raises(EntryError, match=f"larger than {MAX_BYTES:,} bytes"):
        read_any(Path("/dev/zero"), 0.0)


def test_read_any_of_a_file_returns_its_text(tmp_path: Path) -> None:
    """A byte order mark is not part of the text."""
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_any(tmp_path / "x.yaml", 0.0) == "a: 1\n"
