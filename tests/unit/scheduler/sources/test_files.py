"""The folder of schedules: what appears, changes, breaks and goes."""

import asyncio
from pathlib import Path

import pytest
import yaml

from financehub_scheduler.sources.files import FileSource
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import ConfigError
from support.schedules import resource, write


def names(source: FileSource) -> tuple[set[str], int]:
    """Names of the upserts of one look, and the number of removals."""
    found = source.scan()
    return ({schedule.name for schedule in found.upserts}, len(found.removed)) if found else (set(), 0)


@pytest.fixture
def source(tmp_path: Path) -> FileSource:
    return FileSource(tmp_path, ManualClock())


def test_a_missing_folder_ends_the_process() -> None:
    """A folder that is not there is a wrong flag, named in one line."""
    with pytest.raises(ConfigError, match="--schedules /nowhere: is not a folder"):
        FileSource(Path("/nowhere"), ManualClock())


def test_what_is_there_is_read_once(source: FileSource, tmp_path: Path) -> None:
    """The first look finds all documents of all YAML files, the second nothing new."""
    write(tmp_path, resource("a"), resource("b"))
    write(tmp_path, resource("c"), file="more.yml")
    (tmp_path / "notes.txt").write_text("not YAML")
    (tmp_path / ".hidden.yaml").write_text(yaml.safe_dump(resource("d")))
    assert names(source) == ({"default/a", "default/b", "default/c"}, 0)
    assert names(source) == (set(), 0)


def test_an_edit_touches_only_its_document(source: FileSource, tmp_path: Path) -> None:
    """Of a file with several documents only those that changed are taken over again; the uid stays."""
    write(tmp_path, resource("a"), resource("b"))
    first = source.scan()
    assert first is not None
    write(tmp_path, resource("a"), resource("b", schedule="@daily"))
    second = source.scan()
    assert second is not None
    assert [schedule.name for schedule in second.upserts] == ["default/b"]
    uids = {schedule.name: schedule.uid for schedule in first.upserts}
    assert second.upserts[0].uid == uids["default/b"]


def test_a_symlink_swap_is_seen(source: FileSource, tmp_path: Path) -> None:
    """A mounted ConfigMap changes by the swap of a symlink to its folder, and the change is seen."""
    for version, schedule in (("v1", "@hourly"), ("v2", "@daily")):
        (tmp_path / f"..{version}").mkdir()
        write(tmp_path / f"..{version}", resource("a", schedule=schedule), file="a.yaml")
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert names(source) == ({"default/a"}, 0)
    (tmp_path / "..new").symlink_to("..v2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    found = source.scan()
    assert found is not None
    assert '"schedule":"@daily"' in found.upserts[0].summary


def test_a_bad_document_spares_the_others(source: FileSource, tmp_path: Path) -> None:
    """Next to a document that is refused the others run, and the refusal names file and line."""
    write(tmp_path, resource("a"), resource("bad", schedule="0 0 31 2 *"), resource("c"))
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    assert names(source) == ({"default/a", "default/c"}, 0)
    lines = (tmp_path / "schedules.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "31 2" in text)
    assert source.refused.keys() == {f"schedules.yaml:{line}", "broken.yaml:2", "latin.yaml:1"}
    assert "31 February" in source.refused[f"schedules.yaml:{line}"]


def test_a_bad_edit_leaves_the_good_version_in_force(source: FileSource, tmp_path: Path) -> None:
    """A schedule whose edit is refused goes on as it was, until the edit is mended or the document is gone."""
    write(tmp_path, resource("a"), resource("b"))
    source.scan()
    write(tmp_path, resource("a", schedule="nonsense"), resource("b"))
    assert names(source) == (set(), 0)
    assert len(source.refused) == 1
    write(tmp_path, resource("a", schedule="@daily"), resource("b"))
    assert names(source) == ({"default/a"}, 0)
    assert source.refused == {}


def test_a_broken_file_leaves_its_schedules_in_force(source: FileSource, tmp_path: Path) -> None:
    """While a file cannot be read at all, what it held before goes on."""
    write(tmp_path, resource("a"), resource("b"))
    source.scan()
    (tmp_path / "schedules.yaml").write_text("kind: [\n")
    assert (names(source), names(source)) == ((set(), 0), (set(), 0))
    write(tmp_path, resource("b"))
    assert (names(source), names(source)) == ((set(), 0), (set(), 1))


def test_gone_means_gone_in_two_looks(source: FileSource, tmp_path: Path) -> None:
    """A schedule is removed once two looks have missed it: a file that is being renamed is nowhere for a moment."""
    path = write(tmp_path, resource("a"))
    source.scan()
    path.rename(tmp_path / "elsewhere")
    assert names(source) == (set(), 0)
    (tmp_path / "elsewhere").rename(tmp_path / "renamed.yaml")
    assert names(source)[1] == 0
    assert (names(source), names(source)) == ((set(), 0), (set(), 0))
    (tmp_path / "renamed.yaml").unlink()
    assert (names(source), names(source)) == ((set(), 0), (set(), 1))


def test_a_name_used_twice_is_refused(source: FileSource, tmp_path: Path) -> None:
    """Of two documents of one name the first file's is in force; the other is refused with the first one's place."""
    write(tmp_path, resource("a"), file="1.yaml")
    write(tmp_path, resource("a", schedule="@daily"), file="2.yaml")
    found = source.scan()
    assert found is not None
    assert [each.summary for each in found.upserts] == ['{"task":"demo_task","queue":"q","schedule":"@yearly"}']
    assert source.refused == {"2.yaml:default/a": "default/a is also in 1.yaml, which is in force; rename one"}


def test_a_lost_folder_deletes_nothing(tmp_path: Path) -> None:
    """A folder that vanishes (an unmounted volume) is a fault, and the schedules go on."""
    folder = tmp_path / "mount"
    folder.mkdir()
    write(folder, resource("a"))
    source = FileSource(folder, ManualClock())
    source.scan()
    folder.rename(tmp_path / "away")
    assert (names(source), names(source)) == ((set(), 0), (set(), 0))
    (tmp_path / "away").rename(folder)
    assert (names(source), names(source)) == ((set(), 0), (set(), 0))


def test_an_unreadable_file_is_refused(source: FileSource, tmp_path: Path) -> None:
    """What has the name of a file and cannot be read is refused with the remedy."""
    (tmp_path / "folder.yaml").mkdir()
    assert names(source) == (set(), 0)
    assert "mend its permissions" in source.refused["folder.yaml:1"]


def test_an_enormous_file_is_not_read(source: FileSource, tmp_path: Path) -> None:
    """A file beyond any sensible size is refused unread."""
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(20_000_000)
    assert names(source) == (set(), 0)
    assert "split it" in source.refused["big.yaml:1"]


def test_a_bad_annotation_is_refused(source: FileSource, tmp_path: Path) -> None:
    """A backfill range that cannot be read is refused with an example of one that can."""
    write(tmp_path, resource("a", {"financehub.io/backfill": "yesterday"}))
    assert names(source) == (set(), 0)
    assert "write it like 2026-11-01T00:00:00Z/" in next(iter(source.refused.values()))


async def test_the_first_look_is_told_from_changes(tmp_path: Path) -> None:
    """What is there at the start is marked as such, even if it is nothing; what comes later is a change."""
    source = FileSource(tmp_path, ManualClock())
    changes = source.changes()
    first = await anext(changes)
    assert (first.initial, len(first.upserts)) == (True, 0)
    write(tmp_path, resource("a"))
    second = await anext(changes)
    assert (second.initial, len(second.upserts)) == (False, 1)


async def test_a_refusal_alone_is_told(source: FileSource, tmp_path: Path) -> None:
    """A document that comes to be refused, and its end, are told though no schedule has changed: listings show them."""
    changes = source.changes()
    await anext(changes)
    path = write(tmp_path, resource("bad", schedule="nonsense"))
    told = await asyncio.wait_for(anext(changes), 5)
    assert (told.initial, list(told.upserts), len(source.refused)) == (False, [], 1)
    path.unlink()
    await asyncio.wait_for(anext(changes), 5)
    assert source.refused == {}
