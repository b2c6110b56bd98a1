"""Measures the CPU time of commands that ask Redis one question, next to that of Python itself.

CPU time is that of the whole process, user and system. It depends less on what else the machine does than the time
that a user waits.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.rows import Row
from support.full_redis import fill
from support.redis_server import RedisServer

COMMAND = str(Path(sys.executable).parent / "financehub")
ROUNDS = 10
#: A command is slow for a person from about a quarter of a second.
GOAL_SECONDS = 0.25
COMMANDS: Sequence[Sequence[str]] = [
    ["--help"],
    ["--version"],
    ["status"],
    ["quotes"],
    ["workers"],
    ["stats"],
    ["runs", "list"],
    ["runs", "show", "task-ended"],
    ["schedules", "list"],
    ["dead-letters", "list"],
    ["breakers", "list"],
    ["assets", "list"],
]


def run() -> list[Row]:
    """Measure each command, the best of several runs."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory), aof=False).start()
        try:
            client = server.client()
            fill(client, server.url)
            environment = dict(os.environ) | {"REDIS_URL": server.url}
            python = _cpu_seconds([sys.executable, "-c", "pass"], environment)
            return [_row(words, _cpu_seconds([COMMAND, *words], environment), python) for words in COMMANDS]
        finally:
            server.stop()


def _row(words: Sequence[str], seconds: float, python: float) -> Row:
    name = f"command-line.{'-'.join(word.strip('-') for word in words)}"
    goal = f"< {GOAL_SECONDS} s of CPU"
    return Row(name, seconds, "s", "python -c pass", python, goal, seconds < GOAL_SECONDS)


def _cpu_seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best
