"""The environment of the processes of `make run`: ports, addresses and the URLs of the upstreams."""

import fcntl
import os
import sys
from pathlib import Path
from typing import IO

from embedded_redis import redis_server_binary
from ports import port_of, require_free

ROOT = Path(__file__).parents[3]


def environment_for(upstream: str) -> dict[str, str]:
    """Return the environment of all processes.

    Args:
        upstream: `simulator` or `live`.

    Raises:
        PortError: A port is invalid or in use.
    """
    env = dict(os.environ)
    ports = {"REDIS_PORT": (6379, 1, "Redis"), "HTTP_PORT": (8000, 6, "console, health and metrics")}
    if upstream == "simulator":
        ports["SIMULATOR_PORT"] = (8099, 1, "simulator")
    for variable, (default, count, purpose) in ports.items():
        first = port_of(env, variable, default, count)
        for port in range(first, first + count):
            require_free(port, purpose, variable)
        env[variable] = str(first)
    # Nothing on this machine's network should reach a development fleet: neither its data nor its metrics.
    env.setdefault("FINANCEHUB_HTTP_HOST", "localhost")
    env["REDIS_SERVER"] = redis_server_binary()
    env["REDIS_URL"] = f"redis://127.0.0.1:{env['REDIS_PORT']}/0"
    # Simulated and real histories must not be mixed in one Redis.
    env.setdefault("REDIS_DIR", f".data/redis-{upstream}")
    env["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{env['PATH']}"
    env["PYTHONUNBUFFERED"] = "1"
    if sys.stdout.isatty():
        env.setdefault("FINANCEHUB_LOG_FORMAT", "console")
    if upstream == "simulator":
        from financehub_simulator.client_settings import settings_for

        env |= settings_for(f"http://127.0.0.1:{env['SIMULATOR_PORT']}")
        # A proxy of this machine's network cannot reach the simulator.
        for variable in ("no_proxy", "NO_PROXY"):
            env[variable] = ",".join(filter(None, (env.get(variable, ""), "127.0.0.1")))
    return env


def lock_folder(folder: Path) -> IO[bytes] | None:
    """Create the folder of Redis's data and lock it until this process ends. Two servers would damage the data.

    Returns:
        The open lock file, or None if another process has locked the folder.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / ".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def read_procfile(path: Path) -> dict[str, str]:
    """Return name → command of a Procfile, whose lines are `name: command`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: command.strip() for name, colon, command in (line.partition(":") for line in lines) if colon}
