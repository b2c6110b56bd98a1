"""Runs a real Redis server for one test, which can kill, hang, restart and fill it."""

import errno
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
from support.redis_binaries import redis_server_binary

#: Timeout of a reply in seconds, for tests in which Redis runs. A process whose timeout passes continues without Redis,
#: and on a busy machine the usual second may pass.
PATIENT_SECONDS = 30.0

#: These ports are below the ports of outgoing connections (from 32768 on Linux, from 49152 on macOS). While a server is
#: down, no outgoing connection takes its port, and no client that connects to the port connects to itself.
_PORTS = range(20_000, 31_000)
#: Ports of which several consecutive ones are needed.
_BLOCKS = range(31_000, 32_000)
#: Each pytest worker has its own port range, so no other worker takes the port of a server that is down.
_SHARES = 8
_share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
_taken: set[int] = set()
#: On a busy machine, a server that loads its data may take long.
_START_SECONDS = 120.0


def free_port() -> int:
    """Return a free TCP port that is not given to any other test."""
    while True:
        # The module `random` would repeat ports, because Hypothesis seeds it.
        port = secrets.choice(_PORTS[_share::_SHARES])
        if port not in _taken and is_free(port):
            _taken.add(port)
            return port


def free_ports(count: int) -> int:
    """Return the first of some consecutive free TCP ports that are not given to any other test."""
    size = len(_BLOCKS) // _SHARES
    own = _BLOCKS[_share * size : (_share + 1) * size]
    while True:
        ports = range(first := secrets.choice(own[: 1 - count or None]), first + count)
        if _taken.isdisjoint(ports) and all(is_free(port) for port in ports):
            _taken.update(ports)
            return first


def is_free(port: int) -> bool:
    """Whether no process listens on a port of either loopback address, because many of ours listen on both."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as sock:
                sock.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True


class RedisServer:
    """One redis-server process on its own port.

    Args:
        directory: Directory for the data and the log. The data survives `restart`.
        options: Additional configuration, as pairs of `--name` and value.
        aof: Whether to write each command to disk. Without it, a restart loses all data.
        server: `6.2`, `7.0` or `valkey`. By default, it is the server of `make run`.
    """

    def __init__(self, directory: Path, *options: str, aof: bool = True, server: str | None = None) -> None:
        self.port = free_port()
        secret = dict(pairwise(options)).get("--requirepass")
        self.url = f"redis://{f':{secret}@' if secret else ''}127.0.0.1:{self.port}/0"
        self._command = [
            redis_server_binary(server),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""),
            *("--appendonly", "yes" if aof else "no", "--appendfsync", "always" if aof else "no"),
            *("--maxmemory-policy", "noeviction", *options),
        ]
        self.directory = directory
        self._log = directory / "redis-server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> "RedisServer":
        """Start the server and wait until it replies. It may still be loading its data.

        Args:
            options: Configuration for this start only, such as `--replicaof`, a host and a port.
        """
        with self._log.open("ab") as log:
            self._process = launch([*self._command, *options], stdout=log, stderr=log)
        limit = time.monotonic() + _START_SECONDS
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
        """Return a new client that returns replies as bytes."""
        return redis.Redis.from_url(self.url, **options)

    @property
    def pid(self) -> int:
        """Id of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill the server with SIGKILL, as if its node were lost."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def hang(self) -> None:
        """Stop the server with SIGSTOP. Connections stay open, but it does not reply."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resume a hung server with SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kill the server and start it again on the same port with the same data."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Stop the server in any state."""
        if self._process is not None:
            end(self._process)
