"""Reads the attempts that the tasks record in Redis, and writes them to a file outside of it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from soak import redis_view
from soak.accounts import Attempt
from soak.journal import complete_lines

ATTEMPTS_FILE = "attempts.txt"
_INTERVAL_SECONDS = 1.0


class Recorder:
    """Moves the attempts from the stream in Redis to a file, and knows which runs have been recorded.

    Args:
        connect: Returns a client of Redis, or None if its address is not known at the moment.
        file: File of the attempts, one per line.
    """

    def __init__(self, connect: Callable[[], "redis.Redis | None"], file: Path) -> None:
        self._connect = connect
        self._file = file
        self._last = "0"
        self._runs: set[str] = set()
        self._lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Read until a stop is requested.

        Args:
            stop: Requests the stop.
        """
        while not stop.wait(_INTERVAL_SECONDS):
            self.read()

    def read(self) -> int:
        """Read what is new, and return the number of new entries. If Redis does not answer, they wait there."""
        count = 0
        with contextlib.suppress(redis.RedisError):
            while (server := self._connect()) and (found := self._next(server)):
                count += found
        return count

    def read_all(self) -> None:
        """Read until nothing is left.

        Raises:
            redis.RedisError: Redis does not answer, so it may contain more.
        """
        server = self._connect()
        if server is None:
            raise redis.ConnectionError("the address of Redis is not known")
        while self._next(server):
            pass

    def _next(self, server: "redis.Redis") -> int:
        """Move the next attempts to the file, and return their number."""
        with self._lock:
            found, last = redis_view.attempts_after(server, self._last)
            if found:
                self._write(found)
                self._last = last
                # What has been written to the file need not stay in Redis, whose memory is measured.
                redis_view.forget_attempts(server, last)
            return len(found)

    def missing(self, runs: set[str]) -> set[str]:
        """Return the runs of a set that have not been recorded."""
        return runs - self._runs

    def attempts(self) -> Iterator[Attempt]:
        """Yield all attempts. An attempt whose command was sent twice counts once."""
        return read_attempts(self._file)

    def _write(self, found: list[tuple[str, Attempt]]) -> None:
        lines = [f"{each.at:.3f} {token} {each.run} {each.pod}\n" for token, each in found]
        with self._file.open("a", encoding="utf-8") as output:
            output.writelines(lines)
        self._runs.update(each.run for _, each in found)


def read_attempts(file: Path) -> Iterator[Attempt]:
    """Yield the attempts of a file. An attempt whose command was sent twice counts once.

    Args:
        file: The file, which may end in the middle of a line.
    """
    tokens = set()
    for line in complete_lines(file):
        at, token, run, pod = line.split()
        if token not in tokens:
            tokens.add(token)
            yield Attempt(run, float(at), pod)
