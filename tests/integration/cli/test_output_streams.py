"""The command line as a process: other encodings, a full disk, and hostile names in Redis."""

import json
import os
import signal
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


#: Commands that print something whatever Redis contains.
PRINTING = [
    ["--help"],
    ["--version"],
    ["quotes", "--help"],
    ["status"],
    ["quotes"],
    ["quotes", "--json"],
    ["quotes", "--format", "csv"],
    ["bars"],
    ["indicators"],
    ["news"],
    ["quarantine"],
    ["assets", "list"],
    ["workers"],
    ["stats"],
    ["runs", "list"],
    ["schedules", "list"],
    ["dead-letters", "list"],
    ["breakers", "list"],
]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_command_on_a_full_disk_ends_with_one_line(
    redis_url: str, redis_client: "redis.Redis", words: list[str]
) -> None:
    """Whatever a command prints, a full disk is one line on stderr and the exit code 1."""
    with Path("/dev/full").open("wb") as full:
        result = run(redis_url, *words, stdout=full)
    lines = result.stderr.decode().splitlines()
    assert result.returncode == 1
    assert lines[-1] == "financehub: the output cannot be written: No space left on device"
    assert all(line.startswith("financehub: ") for line in lines)


@pytest.mark.parametrize("words", PRINTING[:7], ids=" ".join)
def test_command_whose_reader_has_gone_ends_quietly(
    redis_url: str, redis_client: "redis.Redis", words: list[str]
) -> None:
    """A command before `| head -1` prints no error and ends by SIGPIPE, as every other Unix command does."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        result = run(redis_url, *words, stdout=write_end)
    finally:
        os.close(write_end)
    assert result.returncode == -signal.SIGPIPE
    assert all(line.startswith("financehub: no ") for line in result.stderr.decode().splitlines())


@pytest.mark.parametrize("words", [["quotes"], ["--help"], ["run", "fetch_news_task"]], ids=" ".join)
def test_command_with_closed_stdout_does_nothing(redis_url: str, redis_client: "redis.Redis", words: list[str]) -> None:
    """Without stdout, nobody would see the result, so the command says so and changes nothing."""
    script = f'exec "$0" -c "from financehub_cli import main; main()" {" ".join(words)} >&-'
    environment = dict(os.environ) | {"REDIS_URL": redis_url}
    done = subprocess.run(["sh", "-c", script, sys.executable], env=environment, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr == b"financehub: the output cannot be written: stdout is closed; nothing was done\n"
    assert redis_client.keys() == []


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_command_whose_messages_cannot_be_written_keeps_its_exit_code(
    redis_url: str, redis_client: "redis.Redis", redirection: str
) -> None:
    """A closed or full stderr neither hides the exit code nor adds a traceback to the output."""
    script = f'exec "$0" -c "from financehub_cli import main; main()" quotes X {redirection}'
    environment = dict(os.environ) | {"REDIS_URL": redis_url}
    done = subprocess.run(["sh", "-c", script, sys.executable], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_output_beyond_a_limit_of_the_file_size_ends_with_one_line(
    redis_url: str, redis_client: "redis.Redis", tmp_path: Path
) -> None:
    """A limit of the size of files, which acts like a disk quota, is one line on stderr and the exit code 1."""
    add_hostile_run(redis_client)
    script = f'trap "" XFSZ; ulimit -f 0; exec "$0" -c "from financehub_cli import main; main()" stats > {tmp_path}/out'
    environment = dict(os.environ) | {"REDIS_URL": redis_url, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(["sh", "-c", script, sys.executable], env=environment, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr == b"financehub: the output cannot be written: File too large\n"
