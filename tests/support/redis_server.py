"""A real Redis server that a test owns: it can be killed, hung, restarted and filled."""

import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import redis

from support.processes import end, launch

ROOT = Path(__file__).parents[2]


#: Below what systems give to outgoing connections (Linux from 32768, macOS from 49152): while a server is down its
#: port goes to no client, and a client that knocks at it cannot be connected to itself.
_PORTS = range(20_000, 32_000)
#: Each test process has a share of them: while a server is down, no other process takes its port.
_SHARES = 8
_share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
_taken: set[int] = set()


def free_port() -> int:
    """A TCP port nobody listens on, and that no other test gets."""
    while True:
        # not `random`, which hypothesis seeds
        port = secrets.choice(_PORTS[_share::_SHARES])
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            if port not in _taken:
                _taken.add(port)
                return port


def binary() -> str:
    """Path of the redis-server that `make run` uses too."""
    spec = importlib.util.spec_from_file_location("embedded_redis", ROOT / "deploy/local/embedded_redis.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.redis_server_binary())


class RedisServer:
    """One redis-server process on a port of its own, data in `directory`.

    Args:
        directory: where the AOF goes; kept over `restart`.
        options: further configuration, `--name value` pairs.
    """

    def __init__(self, directory: Path, *options: str, aof: bool = True) -> None:
        self.port = free_port()
        secret = dict(pairwise(options)).get("--requirepass")
        self.url = f"redis://{f':{secret}@' if secret else ''}127.0.0.1:{self.port}/0"
        self._command = [
            binary(),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""),
            *("--appendonly", "yes" if aof else "no", "--appendfsync", "always" if aof else "no"),
            *("--maxmemory-policy", "noeviction", *options),
        ]
        self._log = directory / "redis-server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RedisServer":
        """Start and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = launch(self._command, stdout=log, stderr=log)
        limit = time.monotonic() + 20
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return self
            except redis.RedisError:
                ended = self._process.poll() is not None
                assert not ended, f"redis-server does not start: {self._log.read_text()[-2_000:]}"
                assert time.monotonic() < limit, f"redis-server does not answer: {self._log.read_text()[-2_000:]}"
                time.sleep(0.02)

    def client(self, **options: object) -> "redis.Redis":
        """A new client; answers are bytes."""
        return redis.Redis.from_url(self.url, **options)

    @property
    def pid(self) -> int:
        """Process id while running."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, as a node failure would."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def hang(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kill and start again on the same port and data."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None:
            end(self._process)
