"""Runs the parser process: `python -m financehub_shared.providers.rss.parser_child CPU_SECONDS BYTES`.

The kernel ends the process when a feed takes more CPU time or memory than allowed. This works even inside a regular
expression, during which Python cannot react. The process ends by itself when its worker has ended, because its standard
input is then closed.
"""

import contextlib
import os
import resource
import signal
import sys
from typing import IO

from financehub_shared.core.errors import ProviderError
from financehub_shared.providers.rss.feed import parse_feed
from financehub_shared.providers.rss.messages import FeedSource, encode_feed, receive, send

#: The worker's event loop takes precedence where both share one CPU.
NICENESS = 5


def main(cpu_seconds: float, memory_bytes: int) -> None:
    """Parse feeds until the standard input is closed.

    Args:
        cpu_seconds: CPU time that one feed may take.
        memory_bytes: Address space that the process may have.
    """
    # A signal to the process group is meant for the worker, which ends this process when it has finished its messages.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # macOS refuses this limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the output of libraries must not become part of a reply
    while True:
        try:
            header, body = receive(requests)
            # SIGPROF has its default action, so the kernel kills the process when the timer expires.
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            _answer(replies, FeedSource(**header), body)
            signal.setitimer(signal.ITIMER_PROF, 0)
        except (EOFError, BrokenPipeError):
            return


def _answer(replies: IO[bytes], source: FeedSource, body: bytes) -> None:
    try:
        send(replies, {"feed": encode_feed(parse_feed(source, body))})
    except ProviderError as error:
        send(replies, {"error": error.kind, "detail": error.detail})


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
