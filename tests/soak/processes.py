"""Finds the processes of a release on the machine, and reads their figures from /proc."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from soak.samples import ProcessSample

#: The cgroup of a container of a pod, such as `/kubepods/burstable/pod<uid>/<id>`.
_POD = re.compile(r"/kubepods[^ ]*/pod([0-9a-f-]{36})/([0-9a-f]{64})")
_KIB = 1_024
#: What a process needs to be one of the release: its pod must not only wait, and `pause` holds the network of a pod.
_NOT_OURS = {"pause"}


@dataclass(frozen=True, slots=True)
class Found:
    """A process of a pod.

    Args:
        pid: Its process id on the machine.
        pod_uid: Uid of its pod.
        container: Id of its container.
        is_main: Whether it is the first process of its container.
        started: Its start in clock ticks since boot.
    """

    pid: int
    pod_uid: str
    container: str
    is_main: bool
    started: int


def find_processes(proc: Path = Path("/proc")) -> list[Found]:
    """Return all processes of pods on this machine, except for those that hold the network of a pod.

    Args:
        proc: The file system of processes.
    """
    found = []
    for folder in proc.glob("[0-9]*"):
        # A process may end at any time.
        with contextlib.suppress(OSError, ValueError, IndexError):
            cgroup = _POD.search((folder / "cgroup").read_text(encoding="ascii"))
            if cgroup is None or (folder / "comm").read_text(encoding="utf-8").strip() in _NOT_OURS:
                continue
            inside = int(_status(folder)["NSpid"].split()[-1])
            found.append(Found(int(folder.name), cgroup[1], cgroup[2], inside == 1, _start_ticks(folder)))
    return found


def measure(process: Found, component: str, pod: str, proc: Path = Path("/proc")) -> ProcessSample | None:
    """Return the figures of a process, or None if it has ended.

    Args:
        process: The process.
        component: Component of its pod.
        pod: Name of its pod.
        proc: The file system of processes.
    """
    folder = proc / str(process.pid)
    try:
        memory = _fields((folder / "smaps_rollup").read_text(encoding="ascii"))
        targets = [_target(entry) for entry in (folder / "fd").iterdir()]
        status = _status(folder)
        if _start_ticks(folder) != process.started or status["State"].startswith("Z"):
            return None
        return ProcessSample(
            component=component,
            role="main" if process.is_main else "child",
            pod=pod,
            pid=process.pid,
            started=process.started,
            rss=_bytes(memory["Rss"]),
            pss=_bytes(memory["Pss"]),
            descriptors=len(targets),
            sockets=sum(target.startswith("socket:") for target in targets),
            threads=int(status["Threads"]),
        )
    except (OSError, KeyError, ValueError, IndexError):
        return None


def _target(entry: Path) -> str:
    # A descriptor may be closed at any time.
    with contextlib.suppress(OSError):
        return str(entry.readlink())
    return ""


def _status(folder: Path) -> Mapping[str, str]:
    return _fields((folder / "status").read_text(encoding="utf-8", errors="replace"))


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _bytes(value: str) -> int:
    return int(value.split(maxsplit=1)[0]) * _KIB


def _start_ticks(folder: Path) -> int:
    """Return the start of a process in clock ticks since boot (proc(5), field 22)."""
    return int((folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
