"""`make run`: starts every process of the Procfile in this folder on one machine.

Redis and the simulator start first and stop last, so that they are available while the tiers start and stop. A process
that ends is restarted. Ctrl-C drains the tiers, and a second Ctrl-C kills them.
"""

import os
import sys
import threading
from functools import partial

from local_run.environment import ROOT, environment_for, lock_folder, read_procfile
from local_run.output import Terminal
from local_run.process import Process
from local_run.readiness import announce, await_ready
from local_run.supervisor import INVALID_SETTING, Supervisor, processes_of
from ports import PortError

BACKING = ("redis", "simulator")


def _fail(message: str) -> int:
    """Print one line to stderr, and return the exit code for an invalid setting."""
    sys.stderr.write(f"make run: {message}\n")
    return INVALID_SETTING


def main() -> int:
    """Run until a signal or until a process cannot be restarted, and return the exit code."""
    upstream = os.environ.get("UPSTREAM", "simulator")
    if upstream not in {"simulator", "live"}:
        return _fail(f"UPSTREAM={upstream!r} is not valid; use simulator (the default) or live")
    try:
        env = environment_for(upstream)
    except PortError as error:
        return _fail(str(error))
    (ROOT / ".data").mkdir(exist_ok=True)  # for the logs, wherever the data is
    folder = ROOT / env["REDIS_DIR"]
    try:
        lock = lock_folder(folder)
    except OSError as error:
        return _fail(f"{folder} cannot be used for the data of Redis: {error}; set REDIS_DIR to another folder")
    if lock is None:
        return _fail(f"another `make run` uses {folder}; stop it, or set REDIS_DIR to another folder")
    commands = read_procfile(ROOT / "deploy/local/Procfile")
    if upstream == "live":
        del commands["simulator"]
    terminal = Terminal()

    def build(name: str, command: str) -> Process:
        output = ROOT / ".data" / f"{name}.log" if name in BACKING else partial(terminal.line, name)
        return Process(name, command, env, ROOT, output)

    supervisor = Supervisor(
        backing=processes_of(commands, build, BACKING),
        services=processes_of(commands, build, [name for name in commands if name not in BACKING]),
        terminal=terminal,
        await_ready=partial(await_ready, env=env),
    )
    greet = threading.Thread(target=announce, args=(terminal, env, upstream), daemon=True)
    code = supervisor.run(greet.start)
    if supervisor.reason:
        sys.stderr.write(f"make run: {supervisor.reason}\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
