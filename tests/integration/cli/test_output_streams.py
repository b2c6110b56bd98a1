"""The command line as a process: other encodings, a full disk, and hostile names in Redis."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from financehub_shared.redis import keys

HOSTILE = "\x1b[2J\x9b2J\u202e\n\u2028 \U0001f600 é"


def run(url: str, *arguments: str, **options: object) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in its own process."""
    removed = {"PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL", "LANG"}
    inherited = {name: value for name, value in os.environ.items() if name not in removed}
    environment = inherited | {"REDIS_URL": url} | dict(options.pop("env", {}))  # type: ignore[call-overload]
    command = [sys.executable, "-c", "from financehub_cli import main; main()", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, env=environment, check=False, **streams)  # type: ignore[call-overload,no-any-return]


def add_hostile_run(client: "redis.Redis") -> None:
    """Store a run record and statistics whose texts are hostile."""
    client.sadd(keys.TASKS, "task")
    client.hset(keys.task_stats("task"), mapping={"last_error": HOSTILE, "failed": 1})
    client.hset(keys.run("r"), mapping={"state": "dead-lettered", "task": "task", "error": HOSTILE})
    client.zadd(keys.task_recent("task"), {"r": 1.0})


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_output_in_any_encoding_is_complete(redis_url: str, redis_client: "redis.Redis", encoding: str) -> None:
    """JSON decodes to the original, and tables contain escapes. No encoding ends a command with a traceback."""
    add_hostile_run(redis_client)
    for as_json in (True, False):
        result = run(redis_url, "stats", "task", *["--json"] * as_json, env={"PYTHONIOENCODING": encoding})
        text = result.stdout.decode(encoding)
        assert (result.returncode, result.stderr) == (0, b"")
        assert text.replace("\n", "").isprintable()
        if as_json:
            assert json.loads(text)[0]["recent"][0]["error"] == HOSTILE
        else:
            assert "\\x1b[2J\\x9b2J\\u202e\\n\\u2028" in text.replace("\n", "").replace(" ", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_on_a_full_disk_ends_with_one_line(redis_url: str) -> None:
    """If the output cannot be written, the command says so in one line and fails."""
    for arguments in (["stats"], ["stats", "--json"]):
        with Path("/dev/full").open("wb") as full:
            result = run(redis_url, *arguments, stdout=full)
        assert result.returncode == 1
        assert result.stderr.decode() == "financehub: the output cannot be written: No space left on device\n"
