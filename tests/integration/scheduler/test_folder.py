"""Real scheduler processes whose folder has odd entries, and files that are written while they are read."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from financehub_shared.schedules import list_schedules, refused_schedules
from support.schedules import SchedulerProcess, resource, write
from support.waiting import eventually

#: A user without rights.
NOBODY = 65534
#: Looks at the working folder with all rights, which imports everything, and then as the user without rights.
_LOOK = f"""
import json, os
from pathlib import Path
from financehub_scheduler.sources.files import FileSource
from financehub_shared.core.clock import ManualClock
FileSource(Path("."), ManualClock()).scan()
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
source = FileSource(Path("."), ManualClock())
found = source.scan()
print(json.dumps([sorted(each.name for each in found.upserts), source.refused]))
"""


@pytest.fixture
def start(tmp_path: Path, redis_url: str) -> Iterator[Callable[[], SchedulerProcess]]:
    """Start scheduler processes with the folder `schedules`. They are stopped after the test."""
    (tmp_path / "schedules").mkdir()
    running: list[SchedulerProcess] = []

    def begin() -> SchedulerProcess:
        log = tmp_path / f"scheduler-{len(running)}.log"
        running.append(SchedulerProcess(redis_url, tmp_path / "schedules", log).start())
        return running[-1]

    yield begin
    for each in running:
        each.end()


def names(client: "redis.Redis") -> set[str]:
    return {each.name for each in list_schedules(client)}


def test_scheduler_with_odd_entries_runs_the_others_and_ends_at_sigterm(
    redis_client: "redis.Redis", tmp_path: Path, start: Callable[[], SchedulerProcess]
) -> None:
    """Each odd entry is refused in the log and in the list, all files run, and SIGTERM ends the process at once."""
    folder = tmp_path / "schedules"
    write(folder, resource("a"), file="a.yaml")
    write(folder, resource("z"), file="z.yaml")
    os.mkfifo(folder / "fifo.yaml")
    (folder / "folder.yaml").mkdir()
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "dangling.yaml").symlink_to("nowhere")
    (folder / "device.yaml").symlink_to("/dev/zero")
    (folder / "nul.yaml").write_bytes(b"a: \x00")
    (folder / os.fsdecode(b"caf\xe9.yaml")).write_text("a: 1")
    with socket.socket(socket.AF_UNIX) as server:
        previous = Path.cwd()
        os.chdir(folder)  # the address of a socket is short
        try:
            server.bind("socket.yaml")
        finally:
            os.chdir(previous)
        process = start()
        eventually(lambda: names(redis_client) == {"default/a", "default/z"}, "the files are registered")
    odd = {"fifo.yaml", "folder.yaml", "loop.yaml", "dangling.yaml", "device.yaml", "nul.yaml:1", "caf\\xe9.yaml"}
    odd.add("socket.yaml")
    eventually(lambda: refused_schedules(redis_client).keys() == odd, "the refused entries are published")
    assert len(process.events("schedule_refused")) == len(odd)
    # A change is seen although the odd entries are still there.
    write(folder, resource("b"), file="b.yaml")
    eventually(lambda: "default/b" in names(redis_client), "a new file is registered")
    assert len(process.events("schedule_refused")) == len(odd)
    begin = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - begin < 20


def test_scheduler_keeps_its_counters_while_a_file_is_empty(
    redis_client: "redis.Redis", tmp_path: Path, start: Callable[[], SchedulerProcess]
) -> None:
    """A file that is empty for seconds is not registered again, so its runs and its trigger are not forgotten."""
    folder = tmp_path / "schedules"
    annotations = {"financehub.io/trigger": "once"}
    path = write(folder, resource("a", annotations, schedule="@every 1s", concurrencyPolicy="Allow"))
    process = start()

    def counts() -> tuple[int, int]:
        (info,) = list_schedules(redis_client)
        return info.runs, info.triggered

    eventually(lambda: names(redis_client) and counts() >= (2, 1), "it runs, and its trigger has run")
    text = path.read_text()
    before = counts()
    path.write_text("")
    eventually(lambda: process.events("schedule_removal_delayed"), "the empty file was seen")
    path.write_text(text)
    eventually(lambda: counts()[0] >= before[0] + 5, "it runs on")
    assert counts()[1] == 1
    assert process.events("schedule_removed") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without rights")
def test_look_at_entries_without_rights_refuses_them_and_reads_the_others(tmp_path: Path) -> None:
    """A file, and a symlink into a folder, that the user of the scheduler may not read do not affect the others."""
    folder = tmp_path / "schedules"
    folder.mkdir(mode=0o755)
    write(folder, resource("a"), file="a.yaml").chmod(0o644)
    write(folder, resource("b"), file="secret.yaml").chmod(0o600)
    hidden = folder / "hidden"
    hidden.mkdir()
    write(hidden, resource("c"))
    hidden.chmod(0o700)
    (folder / "link.yaml").symlink_to("hidden/schedules.yaml")
    # The process enters the folder before it gives up its rights, because the parents of the folder may be closed.
    command = [sys.executable, "-c", _LOOK]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    fix = "allow the scheduler's user to read it, and to search the folders of its path (chmod)"
    problem = f"it cannot be read (Permission denied); {fix}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [["default/a"], {"link.yaml": problem, "secret.yaml": problem}]
