"""`make run`: starts every process of the Procfile in this folder on one machine.

Redis and the simulator start first and stop last, so that they are available while the tiers start and stop. honcho
runs the other processes. Ctrl-C drains the tiers.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import redis
from honcho import manager as honcho_manager
from honcho.compat import ProcessManager
from honcho.environ import parse_procfile

from embedded_redis import redis_server_binary
from ports import PortError, port_of, require_free

ROOT = Path(__file__).parents[2]
BACKING = ("redis", "simulator")
READY_LIMIT_SECONDS = 20
#: The first start with live upstreams takes longest, because it fetches two years of bars.
ANNOUNCE_LIMIT_SECONDS = 60
#: Longer than the workers' shutdown timeout (20 s), so that they can always drain.
honcho_manager.KILL_WAIT = 30

HINTS = """
FinanceHub is {state}. In another terminal:
  {cli} status             the state of the fleet
  {cli} quotes             prices with their age and provider (--watch updates them)
  {cli} indicators AAPL    the 24 technical indicators
  {cli} news BTC-USD       news items about an asset
  {cli} schedules list     the schedules and their last runs
  curl {health}
Data: {upstream}. Press Ctrl-C to drain the tiers and stop everything.
"""


class InterruptGroup(ProcessManager):  # type: ignore[misc]  # honcho publishes no types
    """Stops process groups with SIGINT.

    dramatiq's parent process forwards SIGINT once. SIGTERM would reach a worker twice, from the group and from its
    parent, which kills it instead of draining it.
    """

    def terminate(self, pid: int) -> None:
        os.killpg(pid, signal.SIGINT)


def fail(message: str) -> NoReturn:
    """Print one line to stderr and exit with code 2."""
    sys.stderr.write(f"make run: {message}\n")
    raise SystemExit(2)


def environment_for(upstream: str) -> dict[str, str]:
    """Return the environment of all processes, with validated ports and the upstreams' URLs."""
    env = dict(os.environ)
    ports = {"REDIS_PORT": (6379, 1, "Redis"), "HTTP_PORT": (8000, 4, "health and metrics")}
    if upstream == "simulator":
        ports["SIMULATOR_PORT"] = (8099, 1, "simulator")
    for variable, (default, count, purpose) in ports.items():
        first = port_of(env, variable, default, count)
        for port in range(first, first + count):
            require_free(port, purpose, variable)
        env[variable] = str(first)
    env["REDIS_SERVER"] = redis_server_binary()
    env["REDIS_URL"] = f"redis://127.0.0.1:{env['REDIS_PORT']}/0"
    # Simulated and real histories must not be mixed in one Redis.
    env["REDIS_DIR"] = f".data/redis-{upstream}"
    env["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{env['PATH']}"
    env["PYTHONUNBUFFERED"] = "1"
    if sys.stdout.isatty():
        env.setdefault("FINANCEHUB_LOG_FORMAT", "console")
    if upstream == "simulator":
        from financehub_simulator.client_settings import settings_for

        env |= settings_for(f"http://127.0.0.1:{env['SIMULATOR_PORT']}")
    return env


def start_backing(name: str, command: str, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start Redis or the simulator in its own session, which Ctrl-C does not reach, and log to .data/<name>.log."""
    with (ROOT / ".data" / f"{name}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S602 — the lines of a Procfile are shell commands
            command, shell=True, cwd=ROOT, env=dict(env), stdout=log, stderr=log, start_new_session=True
        )


def wait_until_ready(name: str, process: "subprocess.Popen[bytes]", env: Mapping[str, str]) -> None:
    """Wait until the service responds. Exit with a one-line message if it exits or does not respond in time."""
    limit = time.monotonic() + READY_LIMIT_SECONDS
    while process.poll() is None and time.monotonic() < limit:
        try:
            if name == "redis":
                redis.Redis.from_url(env["REDIS_URL"]).ping()
            else:
                socket.create_connection(("127.0.0.1", int(env["SIMULATOR_PORT"])), timeout=1).close()
            return
        except (redis.RedisError, OSError):
            time.sleep(0.05)
    fail(f"{name} failed to start; see .data/{name}.log")


def health_of(url: str) -> str:
    """Return `ok`, `degraded` or `down`, or `unreachable` if nothing responds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 — our own http URL
            return str(json.load(answer)["status"])
    except urllib.error.HTTPError:
        return "down"
    except OSError:
        return "unreachable"


def announce(env: Mapping[str, str], upstream: str) -> None:
    """Print the hints once the fleet is healthy, or print its state if it does not become healthy in time."""
    url = f"http://localhost:{env['HTTP_PORT']}/api/health/"
    limit = time.monotonic() + ANNOUNCE_LIMIT_SECONDS
    while (health := health_of(url)) != "ok" and time.monotonic() < limit:
        time.sleep(0.25)
    redis_port = "" if env["REDIS_PORT"] == "6379" else f"REDIS_PORT={env['REDIS_PORT']} "
    sys.stdout.write(
        HINTS.format(
            state="up" if health == "ok" else f"{health} after {ANNOUNCE_LIMIT_SECONDS} s; the health URL says why",
            cli=f"{redis_port}.venv/bin/financehub",
            health=url,
            upstream="simulated, stored with provider simulated/<name>" if upstream == "simulator" else "live",
        )
    )
    sys.stdout.flush()


def main() -> int:
    """Run until Ctrl-C or until a process ends, and return the exit code."""
    upstream = os.environ.get("UPSTREAM", "simulator")
    if upstream not in {"simulator", "live"}:
        fail(f"UPSTREAM={upstream!r} is not valid; use simulator (the default) or live")
    try:
        env = environment_for(upstream)
    except PortError as error:
        fail(str(error))
    (ROOT / env["REDIS_DIR"]).mkdir(parents=True, exist_ok=True)
    commands = parse_procfile((ROOT / "deploy/local/Procfile").read_text(encoding="utf-8")).processes
    if upstream == "live":
        del commands["simulator"]
    backing: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in BACKING:
            if name in commands:
                backing[name] = start_backing(name, commands[name], env)
        for name, process in backing.items():
            wait_until_ready(name, process, env)
        manager = honcho_manager.Manager()
        manager._procmgr = InterruptGroup()  # noqa: SLF001 — honcho offers no other way to choose the signal
        for name, command in commands.items():
            if name not in backing:
                manager.add_process(name, command, env=env, cwd=str(ROOT))
        threading.Thread(target=announce, args=(env, upstream), daemon=True).start()
        manager.loop()
    finally:
        for process in reversed(backing.values()):
            process.terminate()
            process.wait()
    return 0 if manager.returncode == 130 else int(manager.returncode or 0)


if __name__ == "__main__":
    raise SystemExit(main())
