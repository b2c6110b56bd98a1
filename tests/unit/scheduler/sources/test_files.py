"""A folder of schedule files that appear, change, become invalid and disappear."""

import asyncio
from pathlib import Path

import pytest
import yaml

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.sources.files import FileSource
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import ConfigError
from support.schedule_folder import WatchedFolder
from support.schedules import resource, write


@pytest.fixture
def folder(tmp_path: Path) -> WatchedFolder:
    return WatchedFolder(tmp_path)


def test_file_source_without_folder_raises_config_error() -> None:
    """A missing folder raises a ConfigError with one line that names the flag."""
    with pytest.raises(ConfigError, match="--schedules /nowhere: is not a folder"):
        FileSource(Path("/nowhere"), ManualClock())


def test_scan_of_an_unchanged_folder_finds_nothing_new(folder: WatchedFolder, tmp_path: Path) -> None:
    """The first scan finds all documents of all YAML files, and the second finds nothing new."""
    write(tmp_path, resource("a"), resource("b"))
    write(tmp_path, resource("c"), file="more.yml")
    (tmp_path / "notes.txt").write_text("not YAML")
    (tmp_path / ".hidden.yaml").write_text(yaml.safe_dump(resource("d")))
    assert folder.look() == ({"default/a", "default/b", "default/c"}, 0)
    assert folder.look() == (set(), 0)


def test_scan_after_an_edit_upserts_only_the_changed_document(folder: WatchedFolder, tmp_path: Path) -> None:
    """Only the changed documents of a file are upserted, and their uids stay the same."""
    write(tmp_path, resource("a"), resource("b"))
    first = {schedule.name: schedule.uid for schedule in folder.upserts()}
    write(tmp_path, resource("a"), resource("b", schedule="@daily"))
    (second,) = folder.upserts()
    assert (second.name, second.uid) == ("default/b", first["default/b"])


def test_scan_after_a_symlink_swap_finds_the_change(folder: WatchedFolder, tmp_path: Path) -> None:
    """The symlink swap of a mounted ConfigMap is detected."""
    for version, schedule in (("v1", "@hourly"), ("v2", "@daily")):
        (tmp_path / f"..{version}").mkdir()
        write(tmp_path / f"..{version}", resource("a", schedule=schedule), file="a.yaml")
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert folder.look() == ({"default/a"}, 0)
    (tmp_path / "..new").symlink_to("..v2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    (found,) = folder.upserts()
    assert '"schedule":"@daily"' in found.spec_json


def test_scan_with_invalid_documents_finds_the_others(folder: WatchedFolder, tmp_path: Path) -> None:
    """Invalid documents do not affect the others, and their refusals name file and line."""
    write(tmp_path, resource("a"), resource("bad", schedule="0 0 31 2 *"), resource("c"))
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    assert folder.look() == ({"default/a", "default/c"}, 0)
    lines = (tmp_path / "schedules.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "31 2" in text)
    assert folder.source.refused.keys() == {f"schedules.yaml:{line}", "broken.yaml:1", "latin.yaml"}
    assert "February has no day 31" in folder.source.refused[f"schedules.yaml:{line}"]


def test_scan_after_an_invalid_edit_keeps_the_valid_version(folder: WatchedFolder, tmp_path: Path) -> None:
    """A schedule whose edit is refused stays unchanged until the edit is corrected or the document is deleted."""
    write(tmp_path, resource("a"), resource("b"))
    folder.upserts()
    write(tmp_path, resource("a", schedule="nonsense"), resource("b"))
    assert folder.look() == (set(), 0)
    assert len(folder.source.refused) == 1
    write(tmp_path, resource("a", schedule="@daily"), resource("b"))
    assert folder.look() == ({"default/a"}, 0)
    assert folder.source.refused == {}


def test_scan_of_a_broken_file_keeps_its_schedules(folder: WatchedFolder, tmp_path: Path) -> None:
    """If a file cannot be parsed at all, its earlier schedules remain."""
    write(tmp_path, resource("a"), resource("b"))
    folder.upserts()
    (tmp_path / "schedules.yaml").write_text("kind: [\n")
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 0))
    write(tmp_path, resource("b"))
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 1))


def test_scan_with_a_duplicate_name_refuses_the_second(folder: WatchedFolder, tmp_path: Path) -> None:
    """If two documents have the same name, the one in the first file takes precedence and the other is refused."""
    write(tmp_path, resource("a"), file="1.yaml")
    write(tmp_path, resource("a", schedule="@daily"), file="2.yaml")
    assert [each.spec_json for each in folder.upserts()] == ['{"task":"demo_task","queue":"q","schedule":"@yearly"}']
    assert folder.source.refused == {
        "2.yaml:default/a": "default/a is also in 1.yaml, which takes precedence; rename one"
    }


def test_scan_of_an_unavailable_folder_removes_nothing(tmp_path: Path) -> None:
    """A folder that disappears, such as an unmounted volume, is a fault, and its schedules remain."""
    path = tmp_path / "mount"
    path.mkdir()
    write(path, resource("a"))
    folder = WatchedFolder(path)
    folder.upserts()
    path.rename(tmp_path / "elsewhere")
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 0))
    (tmp_path / "elsewhere").rename(path)
    assert (folder.look(), folder.look_after_absence()) == ((set(), 0), (set(), 0))


def test_scan_with_an_invalid_annotation_refuses_the_document(folder: WatchedFolder, tmp_path: Path) -> None:
    """An invalid backfill range is refused with an example of a valid one."""
    write(tmp_path, resource("a", {"financehub.io/backfill": "yesterday"}))
    assert folder.look() == (set(), 0)
    assert "write it like 2026-11-01T00:00:00Z/" in next(iter(folder.source.refused.values()))


async def test_changes_keeps_known_state_for_the_first_read_only(tmp_path: Path) -> None:
    """The first change keeps the state known to Redis, even if the change is empty, and later ones do not."""
    source = FileSource(tmp_path, ManualClock())
    changes = source.changes()
    first = await anext(changes)
    assert (first.keep_known_state, len(first.upserts)) == (True, 0)
    write(tmp_path, resource("a"))
    second = await anext(changes)
    assert (second.keep_known_state, len(second.upserts)) == (False, 1)


async def test_changes_after_a_slow_look_have_the_time_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another scheduler creates while this one looks, or is stopped, is newer than the deletions in the change."""
    clock = ManualClock()
    source, began = FileSource(tmp_path, clock), clock.now()
    scan = source.scan

    def slow_scan() -> Changes | None:
        clock.advance(3_600.0)
        return scan()

    monkeypatch.setattr(source, "scan", slow_scan)
    assert (await anext(source.changes())).looked_at == began


async def test_changes_includes_changes_of_refused_documents(folder: WatchedFolder, tmp_path: Path) -> None:
    """A new refusal and its end are reported even if no schedule has changed, because listings show them."""
    changes = folder.source.changes()
    await anext(changes)
    path = write(tmp_path, resource("bad", schedule="nonsense"))
    change = await asyncio.wait_for(anext(changes), 60)
    assert (change.keep_known_state, list(change.upserts), len(folder.source.refused)) == (False, [], 1)
    path.unlink()
    await asyncio.wait_for(anext(changes), 60)
    assert folder.source.refused == {}
