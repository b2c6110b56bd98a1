"""Tests of `status --watch` on a real terminal: the whole screen, what is not well first, and a clean end (C6)."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import redis

from financehub_shared.breaker import force_open
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from support.processes import launch
from support.terminal import TerminalRun, plain

OPEN, CLOSE = "\x1b[?1049h", "\x1b[?1049l"
SCHEDULES = 40


@pytest.fixture
def large_fleet(redis_client: redis.Redis, store: RedisStore) -> redis.Redis:
    """A fleet whose status has more lines than any of the terminals, and whose breaker of kraken is open."""
    now = time.time()
    for tier in ("high", "medium", "low", "scheduler"):
        queues = () if tier == "scheduler" else (tier,)
        ProcessRegistry(redis_client).write_heartbeat(ProcessInfo(f"p-{tier}", tier, "h", 1, now, now, queues, 4))
    for number in range(SCHEDULES):
        uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number)))
        outcome = "dead-lettered" if number == SCHEDULES - 1 else "succeeded"
        fields = {"uid": uid, "name": f"default/s{number:02}", "task": "t", "queue": "high", "spec": "{}"}
        redis_client.hset(keys.schedule(uid), mapping=fields | {"last_run_outcome": outcome, "fingerprint": "f"})
        redis_client.hset(keys.SCHEDULE_NAMES, fields["name"], uid)
        redis_client.zadd(keys.SCHEDULES, {uid: now})
    force_open(redis_client, "kraken", "me", "for the test")
    return redis_client


def last_frame(output: str) -> list[str]:
    """Return the lines of the last complete page."""
    frame = output.rpartition("\x1b[J")[0].rpartition("\x1b[H")[2]
    return plain(frame).split("\n")


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (60, 16), (200, 50), (80, 8), (40, 3), (80, 1)])
@pytest.mark.usefixtures("large_fleet")
def test_page_fits_any_terminal_and_says_how_much_it_hides(redis_url: str, columns: int, lines: int) -> None:
    """No page has more lines than the terminal, and its last line counts those that are hidden."""
    with TerminalRun(["status", "--watch", "--every", "0.2"], redis_url, columns=columns, lines=lines) as run:
        run.read_until("\x1b[J")
        shown = last_frame(run.output)
        run.process.send_signal(signal.SIGINT)
        assert run.wait() == 0
    whole = plain(run.output.rpartition(CLOSE)[2]).rstrip("\n").split("\n")
    assert len(shown) == lines
    hidden = re.fullmatch(r"\(([\d,]+) more lines?; enlarge the terminal to see them\)", shown[-1])
    assert hidden is not None
    assert int(hidden[1]) + lines - 1 == len(whole) + 1  # the page ends with an empty line
    assert shown[:-1] == whole[: lines - 1]
    if columns >= 60:
        assert [line for line in shown if len(line) > columns] == []


@pytest.mark.usefixtures("large_fleet")
def test_what_is_not_well_comes_first(redis_url: str) -> None:
    """An open breaker and a failed schedule are visible on a usual terminal, although 39 schedules are well."""
    with TerminalRun(["status", "--watch"], redis_url, columns=100, lines=40) as run:
        run.read_until("\x1b[J")
        shown = "\n".join(last_frame(run.output))
        run.process.send_signal(signal.SIGINT)
        run.wait()
    assert "! provider:kraken: circuit breaker open" in shown
    assert shown.index("default/s39") < shown.index("default/s00")
    whole = plain(run.output.rpartition(CLOSE)[2])
    headings = re.findall(r"^(tier|queue|schedule|data|breaker)\b", whole, re.MULTILINE)
    assert headings == ["schedule", "breaker", "tier", "queue"]  # nothing was fetched, so there is no table of data


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
@pytest.mark.usefixtures("large_fleet")
def test_signal_restores_the_terminal(redis_url: str, number: signal.Signals, code: int) -> None:
    """After Ctrl-C and after SIGTERM, the usual screen, the cursor and wrapping are back, with the last page on it."""
    with TerminalRun(["status", "--watch", "--every", "0.2"], redis_url, columns=80, lines=24) as run:
        run.read_until("\x1b[J")
        assert OPEN in run.output
        assert CLOSE not in run.output
        run.process.send_signal(number)
        assert run.wait() == code
    before, close, after = run.output.rpartition(CLOSE)
    assert close
    assert before.rstrip().endswith("\x1b[?7h\x1b[?25h")
    assert "Traceback" not in run.output
    assert plain(after).startswith(("degraded", "down"))


def test_error_restores_the_terminal(redis_url: str, large_fleet: redis.Redis) -> None:
    """An outage of Redis is shown below the last page, and the page returns afterwards."""
    with TerminalRun(["status", "--watch", "--every", "0.2"], redis_url, columns=80, lines=24) as run:
        run.read_until("\x1b[J")
        large_fleet.config_set("maxclients", 1)
        large_fleet.client_kill_filter(_type="normal", skipme=True)
        try:
            run.read_until("problem: ")
        finally:
            large_fleet.config_set("maxclients", 10_000)
        assert len(last_frame(run.output)) <= 24
        run.process.send_signal(signal.SIGTERM)
        assert run.wait() == 143
    assert CLOSE in run.output


@pytest.mark.usefixtures("large_fleet")
def test_watch_into_a_pipe_has_no_control_sequences(redis_url: str) -> None:
    """Without a terminal there is no alternate screen."""
    command = [Path(sys.executable).parent / "financehub", "status", "--watch", "--every", "0.2"]
    process = launch(command, env={**os.environ, "REDIS_URL": redis_url}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.terminate()
    assert "\x1b" not in first + process.communicate(timeout=120)[0]
