"""Every listing in a real terminal of several widths."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence

import pytest
import redis

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quarantined
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from support.full_redis import fill
from support.market_data import quote

LISTINGS: Sequence[Sequence[str]] = [
    ["quotes"],
    ["bars"],
    ["bars", "AAPL", "--last", "3"],
    ["indicators"],
    ["indicators", "AAPL"],
    ["news"],
    ["quarantine"],
    ["assets", "list", "--all"],
    ["breakers", "list"],
    ["workers"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "letter-q"],
    ["schedules", "list"],
    ["schedules", "show", "demo"],
    ["runs", "list"],
    ["runs", "show", "task-ended"],
    ["stats"],
    ["stats", "task"],
    ["status"],
]
#: Runs all commands in one process, because starting one takes longer than what it does.
_RUN = """
import json, sys
from financehub_cli.app import app
for words in json.loads(sys.argv[1]):
    print("@@", *words, flush=True)
    try:
        app(words, prog_name="financehub")
    except SystemExit:
        pass
"""
#: A time that has passed changes between two commands.
_DURATION = re.compile(r"\d+(\.\d+)?(ms|s|m|h|d)")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
MARK = "…"


@pytest.fixture
def filled(redis_client: "redis.Redis", redis_url: str) -> str:
    """A Redis with each kind of record, of which some have long names, numbers and sentences."""
    fill(redis_client, redis_url)
    store = RedisStore(redis_client)
    store.put_assets([Asset("VERYLONGNAME1234-USD", AssetType.CRYPTO, "A coin with a name of many words " * 3)])
    store.put_quotes([quote("VERYLONGNAME1234-USD", "83777.51234567", 1_800_000_000.0, note="binance: timeout " * 12)])
    store.put_quarantined(
        [Quarantined("quote", "AAPL", "yahoo", f"price: {'not a number ' * 9}", "{}", 1_800_000_000.0)]
    )
    redis_client.hset(keys.run("task-ended"), "error", f"ValueError: 12,345,678.90 is wrong {'a' * 90}")
    return redis_url


def lines_of(url: str, width: int | None) -> dict[str, list[str]]:
    """Return command → the lines that it prints to a terminal of a width, or to a pipe."""
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    environment |= {"REDIS_URL": url, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", _RUN, json.dumps(LISTINGS)]
    if width is None:
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)
        text = done.stdout.decode()
    else:
        text = _run_in_terminal(command, environment, width)
    assert "Traceback" not in text
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("@@ "):
            shown = found[line[3:]] = []
        else:
            shown.append(line)
    return found


def _run_in_terminal(command: Sequence[str], environment: dict[str, str], width: int) -> str:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    with subprocess.Popen(command, env=environment, stdout=slave, stderr=subprocess.DEVNULL) as process:
        os.close(slave)
        output = b"".join(_read(master))
        assert process.wait(timeout=300) == 0
    os.close(master)
    return output.decode()


def _read(master: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(master, 65_536)
        except OSError:  # Linux reports the end of the other side like this
            return
        if not data:
            return
        yield data


def test_listings_in_terminals_show_words_whole_or_not_at_all(filled: str) -> None:
    """At 60, 80, 120 and 200 columns, every shown word is a word that the listing has in a pipe, so no number, symbol,
    name, id or time is broken. Only a long word in a sentence is broken, with a mark. Lines fit, except for such a word
    in a block. What is left out is named together with --wide.
    """
    full = lines_of(filled, None)
    assert len(full) == len(LISTINGS)
    shown = {width: lines_of(filled, width) for width in (60, 80, 120, 200)}
    later = lines_of(filled, None)  # meanwhile, heartbeats expire, which changes the state of the fleet
    for width, found in shown.items():
        assert list(found) == list(full)
        for command, lines in found.items():
            text = "\n".join(full[command] + later[command])
            plain = [_ANSI.sub("", line) for line in lines]
            start = next((index for index, line in enumerate(plain) if line.startswith("(")), None)
            words = set(text.split()) | {f"{word}:" for word in text.split()}
            after_mark = False
            for word in " ".join(plain[:start]).split():
                is_known = word in words or _DURATION.fullmatch(word) or word.endswith(MARK) or after_mark
                assert is_known, (width, command, word)
                after_mark = word.endswith(MARK)
            if start is not None and command != "status":
                assert "--wide" in " ".join(plain[start:]), (width, command)
            longest = max(map(len, text.split()))
            assert all(len(line) <= max(width, longest + 20) for line in plain), (width, command)


def test_listings_in_a_pipe_have_no_colors(filled: str) -> None:
    """Nothing but text goes into a file or a pipe."""
    for command, lines in lines_of(filled, None).items():
        assert "\x1b" not in "".join(lines), command
