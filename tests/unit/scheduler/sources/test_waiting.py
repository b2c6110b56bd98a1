"""Files that are seen while they are written: nothing is removed, and no half of a document runs."""

from pathlib import Path

import pytest
import yaml

from financehub_scheduler.sources.files import FileSource
from financehub_scheduler.sources.waiting import ABSENCE_SECONDS, QUIET_SECONDS
from financehub_shared.core.clock import ManualClock
from support.schedule_folder import WatchedFolder
from support.schedules import resource, write

TWO = yaml.safe_dump_all([resource("a"), resource("b", suspend=True)])


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing yet\n", "---\n---\n", "null\n", "---\n# two\n---\n"])
@pytest.mark.parametrize("seconds", [0.0, 1.0, ABSENCE_SECONDS - 2])
def test_look_at_a_file_that_is_empty_for_a_moment_removes_nothing(
    tmp_path: Path, content: str, seconds: float
) -> None:
    """A file without documents is waited for: its schedules stay and are not registered again when it is back."""
    path = write(tmp_path, resource("a"), resource("b"))
    folder = WatchedFolder(tmp_path)
    folder.look()
    path.write_text(content)
    assert folder.look() == (set(), 0)
    assert folder.look(seconds) == (set(), 0)
    write(tmp_path, resource("a"), resource("b", schedule="@daily"))
    assert folder.look() == ({"default/b"}, 0)
    assert folder.look_after_absence() == (set(), 0)


@pytest.mark.parametrize("empty", [lambda path: path.write_text(""), lambda path: path.unlink()], ids=["", "deleted"])
def test_look_at_a_file_that_stays_empty_removes_its_schedules_after_the_wait(tmp_path: Path, empty: object) -> None:
    """A file that was emptied or deleted on purpose takes effect when that has lasted, and not before."""
    path = write(tmp_path, resource("a"), resource("b"))
    folder = WatchedFolder(tmp_path)
    folder.look()
    assert callable(empty)
    empty(path)
    assert folder.look() == (set(), 0)
    assert folder.look(ABSENCE_SECONDS - 1) == (set(), 0)
    assert folder.look(1) == (set(), 2)
    assert folder.look_after_absence() == (set(), 0)


def test_look_after_each_return_begins_the_wait_again(tmp_path: Path) -> None:
    """The time counts from the last time at which the schedule was there."""
    path = write(tmp_path, resource("a"))
    folder = WatchedFolder(tmp_path)
    folder.look()
    for _ in range(3):
        path.unlink()
        folder.look()
        assert folder.look(ABSENCE_SECONDS - 1) == (set(), 0)
        write(tmp_path, resource("a"))
        assert folder.look() == (set(), 0)


@pytest.mark.parametrize("length", range(len(TWO)))
def test_look_at_each_beginning_of_a_file_changes_nothing(tmp_path: Path, length: int) -> None:
    """Whatever part of a copy has arrived, the earlier schedules stay as they are, also if that part is valid."""
    path = tmp_path / "schedules.yaml"
    path.write_text(TWO)
    folder = WatchedFolder(tmp_path)
    assert folder.look() == ({"default/a", "default/b"}, 0)
    path.write_text(TWO[:length])
    assert (folder.look(), folder.look(5)) == ((set(), 0), (set(), 0))
    path.write_text(TWO)
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 0))


def test_look_at_a_document_that_was_shortened_takes_effect_after_the_wait(tmp_path: Path) -> None:
    """The last lines of a document that were deleted on purpose have no effect after the wait."""
    path = write(tmp_path, resource("a", suspend=True))
    text = path.read_text()
    shorter = text.replace("  suspend: true\n", "")
    path.write_text(shorter + "  suspend: true\n")
    folder = WatchedFolder(tmp_path)
    folder.look()
    path.write_text(shorter)
    assert folder.look() == (set(), 0)
    (found,) = folder.changes(ABSENCE_SECONDS)[0]
    assert not found.suspended
    assert folder.look_after_absence() == (set(), 0)


def test_look_at_a_file_that_is_being_written_waits_until_it_rests(tmp_path: Path) -> None:
    """A new file is read when it has not changed for a moment, so a half of it never runs."""
    path = tmp_path / "new.yaml"
    source = FileSource(tmp_path, clock := ManualClock())
    source.scan()
    lines = yaml.safe_dump(resource("a", suspend=True)).splitlines(keepends=True)
    for number in range(1, len(lines) + 1):
        path.write_text("".join(lines[:number]))
        assert source.scan() is None
        clock.advance(QUIET_SECONDS / 2)
    assert (source.scan(), source.refused) == (None, {})
    clock.advance(QUIET_SECONDS)
    found = source.scan()
    assert found is not None
    assert [schedule.suspended for schedule in found.upserts] == [True]


def test_look_at_a_file_that_changes_all_the_time_reads_it_in_the_end(tmp_path: Path) -> None:
    """A program that writes a file every moment does not keep it from being read."""
    source = FileSource(tmp_path, clock := ManualClock())
    source.scan()
    for number in range(100):
        write(tmp_path, resource("a", args=[number]))
        if source.scan():
            break
        clock.advance(QUIET_SECONDS / 2)
    assert 1 < number < 99


def test_look_at_a_renamed_file_removes_nothing(tmp_path: Path) -> None:
    """A file with another name, and a document that moved to another file, are the same schedules."""
    path = write(tmp_path, resource("a"), resource("b"))
    folder = WatchedFolder(tmp_path)
    folder.look()
    path.rename(tmp_path / "renamed.yaml")
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 0))
    write(tmp_path, resource("a"), file="renamed.yaml")
    write(tmp_path, resource("b"), file="second.yaml")
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 0))


@pytest.mark.parametrize("order", ["delete first", "copy first"])
def test_look_at_a_document_that_moves_between_files_removes_nothing(tmp_path: Path, order: str) -> None:
    """It does not matter whether the document is in no file or in both files for some seconds."""
    write(tmp_path, resource("a"), resource("b"), file="1.yaml")
    folder = WatchedFolder(tmp_path)
    folder.look()
    if order == "delete first":
        write(tmp_path, resource("a"), file="1.yaml")
        assert folder.look(5) == (set(), 0)
        write(tmp_path, resource("b"), file="2.yaml")
    else:
        write(tmp_path, resource("b"), file="2.yaml")
        assert folder.look(5) == (set(), 0)
        write(tmp_path, resource("a"), file="1.yaml")
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 0))
