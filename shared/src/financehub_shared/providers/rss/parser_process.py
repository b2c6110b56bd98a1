"""Parses feeds in a parser process with limits, so that a feed cannot block the worker.

Feed parsers contain regular expressions that take quadratic time and hold the interpreter's lock, and some feeds make
them run for minutes. During this time, only a separate process can be stopped. Each worker has one parser process. The
first feed starts it, and it parses one feed at a time. When a feed exceeds a limit, the process is killed, and the next
feed starts another one.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import IO

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.core.errors import (
    MalformedError,
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
    UpstreamError,
)
from financehub_shared.core.log import get_logger
from financehub_shared.providers.rss.messages import Feed, FeedSource, decode_feed, receive, send

log = get_logger(__name__)

_CHILD = "financehub_shared.providers.rss.parser_child"
#: Environment variables that the interpreter needs. Others may contain secrets, which a parser of untrusted data must
#: not have.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
#: Kind → error, for the errors that the parser process reports.
_ERRORS = {error.kind: error for error in (MalformedError, NotFoundError)}
#: Pause in seconds before a feed that exceeded a limit is fetched again, so that it does not delay the other feeds in
#: every run.
PAUSE_SECONDS = float(HOUR_SECONDS)


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """The limits for parsing one feed.

    Args:
        cpu_seconds: CPU time in seconds. An ordinary feed takes 0.02 s, and one with 2 MB takes 0.3 s.
        memory_bytes: Address space of the parser process in bytes. Most of it is never used. The process takes 33 MB
            of memory, and 60 MB with the largest hostile feed.
    """

    cpu_seconds: float = 2.0
    memory_bytes: int = 200_000_000


class FeedParser:
    """Parses feeds in a parser process. It may be used from any event loop.

    Args:
        limits: The limits for parsing one feed. None for the default limits.
    """

    def __init__(self, limits: ParseLimits | None = None) -> None:
        self._limits = limits or ParseLimits()
        # Only the single thread of this executor uses the parser process, so one feed is parsed at a time.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed-parser")
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False

    async def parse(self, source: FeedSource, body: bytes, seconds: float) -> Feed:
        """Parse a feed.

        Args:
            source: Where the bytes come from.
            body: Decompressed body.
            seconds: Seconds until the deadline, including the time of waiting for other feeds.

        Raises:
            MalformedError: The body is not a feed, or it exceeds a limit.
            NotFoundError: The feed has no entries.
            ProviderTimeoutError: Parsing did not end before the deadline.
            UpstreamError: The parser process cannot be started.
        """
        ends_at = time.monotonic() + seconds
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._parse, source, body, ends_at)

    async def aclose(self) -> None:
        """Kill the parser process. Feeds that are still waiting fail."""
        self._closed = True
        if self._child is not None:
            self._child.kill()
        await asyncio.get_running_loop().run_in_executor(self._executor, self._end_child)
        self._executor.shutdown(wait=False)

    def _parse(self, source: FeedSource, body: bytes, ends_at: float) -> Feed:
        seconds = ends_at - time.monotonic()
        if self._closed:
            raise ProviderTimeoutError(source.provider, "the worker is shutting down")
        if seconds <= 0:
            raise ProviderTimeoutError(source.provider, "the parser was busy with other feeds until the deadline")
        child = self._running_child(source)
        if self._closed:  # `aclose` did not see the process that has just started
            child.kill()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            child.kill()

        timer = threading.Timer(seconds, expire)
        timer.start()
        try:
            send(_pipe(child.stdin), asdict(source), body)
            reply, _ = receive(_pipe(child.stdout))
            if "error" not in reply:
                return decode_feed(reply["feed"])
            refusal = _ERRORS[reply["error"]](source.provider, reply["detail"])
        except (OSError, EOFError, ValueError, KeyError, RecursionError) as error:
            raise self._failure(source, expired=expired.is_set()) from error
        finally:
            timer.cancel()
        raise refusal

    def _running_child(self, source: FeedSource) -> "subprocess.Popen[bytes]":
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end_child()
        command = [sys.executable, "-P", "-m", _CHILD, str(self._limits.cpu_seconds), str(self._limits.memory_bytes)]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        pipe = subprocess.PIPE
        try:
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)  # noqa: S603
        except OSError as error:
            raise UpstreamError(source.provider, f"the feed parser cannot be started: {error}") from error
        log.info("feed_parser_started", pid=self._child.pid)
        return self._child

    def _failure(self, source: FeedSource, *, expired: bool) -> ProviderError:
        """Return the error for a parser process that ended or sent an invalid reply while it parsed a feed."""
        code, output = self._end_child()
        provider = source.provider
        if expired:
            return ProviderTimeoutError(provider, "parsing did not end before the deadline")
        if self._closed:
            return ProviderTimeoutError(provider, "the worker is shutting down")
        if code == -signal.SIGPROF:
            detail = f"parsing took more than {self._limits.cpu_seconds:g} s of CPU time"
        elif "MemoryError" in output:
            detail = f"parsing took more than {self._limits.memory_bytes / 1e6:.0f} MB of memory"
        else:
            log.error("feed_parser_died", feed=source.label, code=code, output=output)
            return MalformedError(provider, f"the parser process ended with code {code}")
        hint = f"the feed is read again in {PAUSE_SECONDS / 60:.0f} minutes; remove it if this goes on"
        return MalformedError(provider, f"{detail}; {hint}", PAUSE_SECONDS)

    def _end_child(self) -> tuple[int, str]:
        """End the parser process, and return its exit code and the end of its error output."""
        child, self._child = self._child, None
        if child is None:
            return 0, ""
        child.kill()  # no effect if it has ended
        output, code = _pipe(child.stderr).read()[-2_000:], child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(OSError):  # the last request was not sent completely
                _pipe(pipe).close()
        return code, output.decode(errors="replace")


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("the child process has no pipe")
    return stream
