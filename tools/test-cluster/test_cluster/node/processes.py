"""Servers that outlive the command that starts them, known again by process id and start time, and what they leave."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from test_cluster.node.layout import Layout
from test_cluster.node.network import inside

_START_SECONDS = 90
_STOP_SECONDS = 20


class StartError(Exception):
    """A server of the node did not start; the end of its log is in the message."""


def start(
    layout: Layout,
    name: str,
    command: Sequence[str | Path],
    ready: Callable[[], bool],
    *,
    within: Callable[[Sequence[str | Path]], list[str]] = inside,
) -> None:
    """Start a server, unless it runs, and wait until it is ready.

    Args:
        layout: of the node.
        name: of the server; its log and its process id are kept under it.
        command: program and arguments.
        ready: asks it.
        within: makes a command run in the network where the server belongs; by default the node's.

    Raises:
        StartError: it ended, or is not ready in time.
    """
    log = layout.logs / f"{name}.log"
    if pid_of(layout, name) is None:
        with log.open("ab") as output:
            process = subprocess.Popen(
                within(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        (layout.run / f"{name}.pid").write_text(f"{process.pid} {_started(process.pid)}", encoding="ascii")
    limit = time.monotonic() + _START_SECONDS
    while not ready():
        ended = pid_of(layout, name) is None
        if ended or time.monotonic() > limit:
            said = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
            raise StartError(f"{name} {'ended' if ended else 'is not ready'}; the end of {log}:\n{said}")
        time.sleep(0.1)


def pid_of(layout: Layout, name: str) -> int | None:
    """Process id of a server, None when it does not run.

    Args:
        layout: of the node.
        name: of the server.
    """
    try:
        pid, started = (layout.run / f"{name}.pid").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    # the id may be another process's by now
    return int(pid) if _started(int(pid)) == started else None


def stop(layout: Layout, name: str) -> None:
    """SIGTERM, and SIGKILL if that does not help; nothing when it does not run.

    Args:
        layout: of the node.
        name: of the server.
    """
    for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
        if (pid := pid_of(layout, name)) is None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        limit = time.monotonic() + seconds
        while pid_of(layout, name) is not None and time.monotonic() < limit:
            time.sleep(0.05)
    (layout.run / f"{name}.pid").unlink(missing_ok=True)


def unmount_below(root: Path) -> None:
    """Take away mounts that servers have left.

    Args:
        root: folder that holds all that is theirs.
    """
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{root}/")), reverse=True):
        # one may have gone with the one before it; what stays keeps its folder from being removed, loudly
        subprocess.run(["umount", "--lazy", mount], check=False)


def _started(pid: int) -> str:
    """When a process began, in ticks since boot; empty when it is gone or a zombie (proc(5), field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
