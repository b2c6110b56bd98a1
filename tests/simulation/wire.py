"""The connection of the simulation to its Redis, and the time that scripts see.

Scripts ask Redis for its time. The simulation replaces that call in their text when they are loaded, so that Redis has
the simulated clock. The product has no hook for it. Planted bugs in scripts are replaced in the same place.
"""

import hashlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import hiredis
import redis
from redis._parsers import _RESP2Parser

from support.processes import launch
from support.redis_binaries import redis_server_binary, version

#: Keys with the simulated time.
SECONDS, MICROSECONDS = b"simulation:seconds", b"simulation:microseconds"
_TIME = re.compile(rb"redis\.call\('(?:time|TIME)'\)")
_SIMULATED_TIME = b"redis.call('mget', '%s', '%s')" % (SECONDS, MICROSECONDS)
#: Redis would measure this time with its real clock. The script also removes outdated members itself.
_EXPIRY = re.compile(rb"redis\.call\('pexpire', keys\.schedulers, lifetime\)")
_START_SECONDS = 10.0

Request = Sequence[bytes]


class Wire:
    """One Redis server without persistence on a Unix socket, with one connection that executes all commands in turn.

    Args:
        patches: Old and new text of scripts, for planted bugs.
    """

    def __init__(self, patches: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._patches = list(patches)
        #: Planted bugs whose text was found.
        self.applied: set[bytes] = set()
        self._folder = Path(tempfile.mkdtemp(prefix="fh-sim-"))
        path = self._folder / "redis.sock"
        binary = redis_server_binary()
        options = [
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(path.parent),
        ]
        if " 6." not in version(binary):
            options += ["--enable-debug-command", "yes"]
        # It ends with this process, however that ends.
        self._server = launch([binary, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        self._parser = _RESP2Parser(65_536)
        self._reader = hiredis.Reader(replyError=self._error, protocolError=redis.InvalidResponse)
        #: SHA-1 of each script as the product knows it → of the script that was loaded.
        self._loaded: dict[bytes, bytes] = {}
        self._time = b""
        self.execute([[b"HELLO", b"3"]])

    def close(self) -> None:
        """End the server."""
        self._socket.close()
        self._server.kill()
        self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _error(self, text: str) -> Exception:
        return self._parser.parse_error(text)  # type: ignore[no-any-return]

    def set_time(self, microseconds: int) -> None:
        """Set the time of Redis, in Unix microseconds. The next command brings it to the server."""
        seconds, rest = divmod(microseconds, 1_000_000)
        values = b"%d" % seconds, b"%d" % rest
        self._time = hiredis.pack_command((b"MSET", SECONDS, values[0], MICROSECONDS, values[1]))

    def execute(self, requests: Sequence[Request]) -> list[Any]:
        """Execute commands that were sent together, and return their replies. An error is a reply as well."""
        packed = b"".join(hiredis.pack_command(tuple(self._rewritten(request))) for request in requests)
        self._socket.sendall(self._time + packed)
        replies = [self._reply() for _ in range(len(requests) + bool(self._time))]
        return replies[1:] if self._time else replies

    def _reply(self) -> Any:
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(65_536)
            if not received:
                raise RuntimeError("the Redis of the simulation has ended")
            self._reader.feed(received)
        return reply

    def _rewritten(self, request: Request) -> Request:
        match request[0].upper():
            case b"EVALSHA":
                return [request[0], self._loaded.get(request[1], request[1]), *request[2:]]
            case b"EVAL":
                return [request[0], self._script(request[1]), *request[2:]]
            case b"SCRIPT" if request[1].upper() == b"LOAD":
                script = self._script(request[2])
                self._loaded[_sha(request[2])] = _sha(script)
                return [*request[:2], script]
            case _:
                return request

    def _script(self, text: bytes) -> bytes:
        for old, new in self._patches:
            if old in text:
                text = text.replace(old, new)
                self.applied.add(old)
        return _TIME.sub(_SIMULATED_TIME, _EXPIRY.sub(b"", text))

    def sha(self, text: bytes) -> set[bytes]:
        """Return the hashes under which a script of the product is called."""
        return {_sha(text), _sha(self._script(text))}

    # faults -------------------------------------------------------------------------------------------
    def restart(self, *, keep_data: bool) -> None:
        """Do what a restart does to the data. Scripts are forgotten in any case."""
        self.execute([[b"SCRIPT", b"FLUSH"], [b"DEBUG", b"RELOAD"] if keep_data else [b"FLUSHALL"]])

    def dump(self) -> list[tuple[bytes, bytes]]:
        """Return all keys with their serialized values."""
        (names,) = self.execute([[b"KEYS", b"*"]])
        return list(zip(names, self.execute([[b"DUMP", name] for name in names]), strict=True))

    def load(self, dump: Sequence[tuple[bytes, bytes]]) -> None:
        """Go back to an earlier state, as a replica does that was behind when it became the master."""
        restored = [[b"RESTORE", name, b"0", value] for name, value in dump]
        self.execute([[b"SCRIPT", b"FLUSH"], [b"FLUSHALL"], *restored])

    def reset(self) -> None:
        """Delete everything, before another scenario."""
        self._time = b""
        self._loaded.clear()
        self.execute([[b"SCRIPT", b"FLUSH"], [b"FLUSHALL"]])


def _sha(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
