"""Starts and stops servers that outlive the command that started them.

A server is identified by its process id and start time, because another process may have the same id later.
"""

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
    """A server of the node did not start. The message contains the end of its log."""


def start(
    layout: Layout,
    name: str,
    command: Sequence[str | Path],
    ready: Callable[[], bool],
    *,
    within: Callable[[Sequence[str | Path]], list[str]] = inside,
) -> None:
    """Start a server unless it is running, and wait until it is ready.

    Args:
        layout: Files of the node.
        name: Name of the server, which is also used for its log and its process id file.
        command: Program and arguments.
        ready: Returns whether the server is ready.
        within: Returns the command line that runs a command in the server's network, which is the node's by default.

    Raises:
        StartError: It exited, or is not ready in time.
    """
    log = layout.logs / f"{name}.log"
    if pid_of(layout, name) is None:
        with log.open("ab") as output:
            process = subprocess.Popen(
                within(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        (layout.run / f"{name}.pid").write_text(f"{process.pid} {_start_ticks(process.pid)}", encoding="ascii")
    limit = time.monotonic() + _START_SECONDS
    while not ready():
        ended = pid_of(layout, name) is None
        if ended or time.monotonic() > limit:
            output_end = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
            raise StartError(f"{name} {'ended' if ended else 'is not ready'}; the end of {log}:\n{output_end}")
        time.sleep(0.1)


def pid_of(layout: Layout, name: str) -> int | None:
    """Return a server's process id, or None if the server is not running.

    Args:
        layout: Files of the node.
        name: Name of the server.
    """
    try:
        pid, start_ticks = (layout.run / f"{name}.pid").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    # Another process may have the id by now.
    return int(pid) if _start_ticks(int(pid)) == start_ticks else None


def stop(layout: Layout, name: str) -> None:
    """Stop a server with SIGTERM, or with SIGKILL if it does not exit in time. Does nothing if it is not running.

    Args:
        layout: Files of the node.
        name: Name of the server.
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
    """Unmount everything that the servers left mounted.

    Args:
        root: Folder of all files of the servers.
    """
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{root}/")), reverse=True):
        # A mount may have disappeared with the previous one. If one remains, the removal of its folder fails later.
        subprocess.run(["umount", "--lazy", mount], check=False)


def _start_ticks(pid: int) -> str:
    """Return a process's start time in ticks since boot (proc(5), field 22), or "" if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
