"""A folder of schedule files that appear, change, become invalid and disappear."""

import asyncio
from pathlib import Path

import pytest
import yaml

from financehub_scheduler.sources.files import FileSource
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import ConfigError
from support.schedules import resource, write


def scan_names(source: FileSource) -> tuple[set[str], int]:
    """Scan once and return the names of the upserts and the number of removals."""
    found = source.scan()
    return ({schedule.name for schedule in found.upserts}, len(found.removed)) if found else (set(), 0)


@pytest.fixture
def source(tmp_path: Path) -> FileSource:
    return FileSource(tmp_path, ManualClock())


def test_file_source_without_folder_raises_config_error() -> None:
    """A missing folder raises a ConfigError with one line that names the flag."""
    with pytest.raises(ConfigError, match="--schedules /nowhere: is not a folder"):
        FileSource(Path("/nowhere"), ManualClock())


def test_scan_of_an_unchanged_folder_finds_nothing_new(source: FileSource, tmp_path: Path) -> None:
    """The first scan finds all documents of all YAML files, and the second finds nothing new."""
    write(tmp_path, resource("a"), resource("b"))
    write(tmp_path, resource("c"), file="more.yml")
    (tmp_path / "notes.txt").write_text("not YAML")
    (tmp_path / ".hidden.yaml").write_text(yaml.safe_dump(resource("d")))
    assert scan_names(source) == ({"default/a", "default/b", "default/c"}, 0)
    assert scan_names(source) == (set(), 0)


def test_scan_after_an_edit_upserts_only_the_changed_document(source: FileSource, tmp_path: Path) -> None:
    """Only the changed documents of a file are upserted, and their uids stay the same."""
    write(tmp_path, resource("a"), resource("b"))
    first = source.scan()
    assert first is not None
    write(tmp_path, resource("a"), resource("b", schedule="@daily"))
    second = source.scan()
    assert second is not None
    assert [schedule.name for schedule in second.upserts] == ["default/b"]
    uids = {schedule.name: schedule.uid for schedule in first.upserts}
    assert second.upserts[0].uid == uids["default/b"]


def test_scan_after_a_symlink_swap_finds_the_change(source: FileSource, tmp_path: Path) -> None:
    """The symlink swap of a mounted ConfigMap is detected."""
    for version, schedule in (("v1", "@hourly"), ("v2", "@daily")):
        (tmp_path / f"..{version}").mkdir()
        write(tmp_path / f"..{version}", resource("a", schedule=schedule), file="a.yaml")
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert scan_names(source) == ({"default/a"}, 0)
    (tmp_path / "..new").symlink_to("..v2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    found = source.scan()
    assert found is not None
    assert '"schedule":"@daily"' in found.upserts[0].spec_json


def test_scan_with_invalid_documents_finds_the_others(source: FileSource, tmp_path: Path) -> None:
    """Invalid documents do not affect the others, and their refusals name file and line."""
    write(tmp_path, resource("a"), resource("bad", schedule="0 0 31 2 *"), resource("c"))
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    assert scan_names(source) == ({"default/a", "default/c"}, 0)
    lines = (tmp_path / "schedules.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "31 2" in text)
    assert source.refused.keys() == {f"schedules.yaml:{line}", "broken.yaml:2", "latin.yaml:1"}
    assert "31 February" in source.refused[f"schedules.yaml:{line}"]


def test_scan_after_an_invalid_edit_keeps_the_valid_version(source: FileSource, tmp_path: Path) -> None:
    """A schedule whose edit is refused stays unchanged until the edit is corrected or the document is deleted."""
    write(tmp_path, resource("a"), resource("b"))
    source.scan()
    write(tmp_path, resource("a", schedule="nonsense"), resource("b"))
    assert scan_names(source) == (set(), 0)
    assert len(source.refused) == 1
    write(tmp_path, resource("a", schedule="@daily"), resource("b"))
    assert scan_names(source) == ({"default/a"}, 0)
    assert source.refused == {}


def test_scan_of_a_broken_file_keeps_its_schedules(source: FileSource, tmp_path: Path) -> None:
    """If a file cannot be parsed at all, its earlier schedules remain."""
    write(tmp_path, resource("a"), resource("b"))
    source.scan()
    (tmp_path / "schedules.yaml").write_text("kind: [\n")
    assert (scan_names(source), scan_names(source)) == ((set(), 0), (set(), 0))
    write(tmp_path, resource("b"))
    assert (scan_names(source), scan_names(source)) == ((set(), 0), (set(), 1))


def test_scan_removes_a_schedule_that_is_absent_twice(source: FileSource, tmp_path: Path) -> None:
    """A schedule is removed after two scans without it, because a file that is renamed is absent for a moment."""
    path = write(tmp_path, resource("a"))
    source.scan()
    path.rename(tmp_path / "elsewhere")
    assert scan_names(source) == (set(), 0)
    (tmp_path / "elsewhere").rename(tmp_path / "renamed.yaml")
    assert scan_names(source)[1] == 0
    assert (scan_names(source), scan_names(source)) == ((set(), 0), (set(), 0))
    (tmp_path / "renamed.yaml").unlink()
    assert (scan_names(source), scan_names(source)) == ((set(), 0), (set(), 1))


def test_scan_with_a_duplicate_name_refuses_the_second(source: FileSource, tmp_path: Path) -> None:
    """If two documents have the same name, the one in the first file takes precedence and the other is refused."""
    write(tmp_path, resource("a"), file="1.yaml")
    write(tmp_path, resource("a", schedule="@daily"), file="2.yaml")
    found = source.scan()
    assert found is not None
    assert [each.spec_json for each in found.upserts] == ['{"task":"demo_task","queue":"q","schedule":"@yearly"}']
    assert source.refused == {"2.yaml:default/a": "default/a is also in 1.yaml, which takes precedence; rename one"}


def test_scan_of_an_unavailable_folder_removes_nothing(tmp_path: Path) -> None:
    """A folder that disappears, such as an unmounted volume, is a fault, and its schedules remain."""
    folder = tmp_path / "mount"
    folder.mkdir()
    write(folder, resource("a"))
    source = FileSource(folder, ManualClock())
    source.scan()
    folder.rename(tmp_path / "elsewhere")
    assert (scan_names(source), scan_names(source)) == ((set(), 0), (set(), 0))
    (tmp_path / "elsewhere").rename(folder)
    assert (scan_names(source), scan_names(source)) == ((set(), 0), (set(), 0))


def test_scan_with_an_unreadable_file_refuses_it(source: FileSource, tmp_path: Path) -> None:
    """A file that cannot be read is refused, and the error says how to fix it."""
    (tmp_path / "folder.yaml").mkdir()
    assert scan_names(source) == (set(), 0)
    assert "fix its permissions" in source.refused["folder.yaml:1"]


def test_scan_with_an_oversized_file_refuses_it(source: FileSource, tmp_path: Path) -> None:
    """A file that is too large is refused without being read."""
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(20_000_000)
    assert scan_names(source) == (set(), 0)
    assert "split it" in source.refused["big.yaml:1"]


def test_scan_with_an_invalid_annotation_refuses_the_document(source: FileSource, tmp_path: Path) -> None:
    """An invalid backfill range is refused with an example of a valid one."""
    write(tmp_path, resource("a", {"financehub.io/backfill": "yesterday"}))
    assert scan_names(source) == (set(), 0)
    assert "write it like 2026-11-01T00:00:00Z/" in next(iter(source.refused.values()))


async def test_changes_keeps_known_state_for_the_first_read_only(tmp_path: Path) -> None:
    """The first change keeps the state known to Redis, even if the change is empty, and later ones do not."""
    source = FileSource(tmp_path, ManualClock())
    changes = source.changes()
    first = await anext(changes)
    assert (first.keep_known_state, len(first.upserts)) == (True, 0)
    write(tmp_path, resource("a"))
    second = await anext(changes)
    assert (second.keep_known_state, len(second.upserts)) == (False, 1)


async def test_changes_includes_changes_of_refused_documents(source: FileSource, tmp_path: Path) -> None:
    """A new refusal and its end are reported even if no schedule has changed, because listings show them."""
    changes = source.changes()
    await anext(changes)
    path = write(tmp_path, resource("bad", schedule="nonsense"))
    change = await asyncio.wait_for(anext(changes), 5)
    assert (change.keep_known_state, list(change.upserts), len(source.refused)) == (False, [], 1)
    path.unlink()
    await asyncio.wait_for(anext(changes), 5)
    assert source.refused == {}
