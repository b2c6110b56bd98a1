"""Tests of the parser process: its limits, its replacement and its end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderTimeoutError, UpstreamError
from financehub_shared.providers.rss.parser_process import PAUSE_SECONDS, FeedParser, ParseLimits
from support.feeds import SOURCE, entry, parse, rss_of, shared_parser
from support.hostile_feeds import HOSTILE_FEEDS
from support.processes import end, launch
from support.waiting import eventually, eventually_async

TESTS = Path(__file__).parents[4]
GOOD = rss_of(entry(1), entry(2), "<title>No link</title>")
#: This feed takes several seconds, because feedparser's fallback for broken XML takes quadratic time.
SLOW = HOSTILE_FEEDS["entries with long broken titles"](2_000_000)


@pytest.fixture
async def parser() -> AsyncIterator[FeedParser]:
    """A parser that allows 0.2 s of CPU time."""
    parser = FeedParser(ParseLimits(cpu_seconds=0.2))
    yield parser
    await parser.aclose()


def child_of(parser: FeedParser) -> int:
    assert parser._child is not None
    return parser._child.pid


def exists(pid: int) -> bool:
    """Return whether a process exists, including zombies."""
    return Path(f"/proc/{pid}").exists()


def runs(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ignores(pid: int, number: int) -> bool:
    """Return whether a process ignores a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def cpu_ticks(pid: int) -> int:
    """Return the CPU time of a process in the kernel's unit, which is usually 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def test_parser_process_returns_what_the_parser_returns():
    """News items, quarantined entries and the newest date arrive unchanged, even if several feeds wait."""
    feeds = await asyncio.gather(*(shared_parser().parse(SOURCE, GOOD, 120) for _ in range(3)))
    assert all(feed == parse(GOOD) for feed in feeds)
    assert len(feeds[0].quarantined) == 1


async def test_parser_process_reports_refused_feeds_as_errors():
    """Errors have the same class and text as in the parser process."""
    with pytest.raises(MalformedError, match=r"not an RSS or Atom feed"):
        await shared_parser().parse(SOURCE, b"<html>", 120)
    with pytest.raises(NotFoundError, match="no entries"):
        await shared_parser().parse(SOURCE, rss_of(), 120)


async def test_feed_over_the_cpu_limit_fails_alone(parser: FeedParser):
    """N1: the feed fails with a sentence and a pause, and the feeds before and after it do not fail.

    No process is left over, and the event loop is not blocked while the feed is parsed or while its process is killed
    and replaced.
    """
    await parser.parse(SOURCE, GOOD, 120)
    killed = child_of(parser)
    parsing = asyncio.gather(*(parser.parse(SOURCE, body, 120) for body in (GOOD, SLOW, GOOD)), return_exceptions=True)
    # Only the time of this process counts, because a busy machine may stop it for any time.
    longest, before = 0.0, time.process_time()
    while not parsing.done():
        await asyncio.sleep(0.01)
        longest, before = max(longest, time.process_time() - before), time.process_time()
    good, error, next_good = await parsing
    assert good == next_good == parse(GOOD)
    assert isinstance(error, MalformedError)
    assert error.detail.startswith("parsing took more than 0.2 s of CPU time; ")
    assert error.retry_after == PAUSE_SECONDS
    assert not exists(killed)
    assert longest < 0.5  # in a thread, the feed would block the loop until its end


async def test_feed_over_the_memory_limit_fails_alone():
    """N1: a feed that needs more memory than allowed fails with a sentence (F5)."""
    parser = FeedParser(ParseLimits(memory_bytes=60_000_000))
    try:
        with pytest.raises(MalformedError, match="parsing took more than 60 MB of memory"):
            await parser.parse(SOURCE, b"\xff" * 12_000_000, 120)
        assert len((await parser.parse(SOURCE, GOOD, 120)).items) == 2
    finally:
        await parser.aclose()


async def test_feed_at_its_deadline_times_out(parser: FeedParser):
    """A feed that is not parsed by the deadline of the run times out, and a feed that still waits is not parsed at all.

    A process that was killed by somebody else does not cost a feed.
    """
    await parser.parse(SOURCE, GOOD, 120)
    os.kill(child_of(parser), signal.SIGSTOP)  # a stopped process takes no CPU time, so only the deadline ends it
    waiting = [parser.parse(SOURCE, GOOD, seconds) for seconds in (0.1, 0.05)]
    first, second = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, ProviderTimeoutError)
    assert "parsing did not end before the deadline" in first.detail
    assert isinstance(second, ProviderTimeoutError)
    assert "busy with other feeds" in second.detail
    assert len((await parser.parse(SOURCE, GOOD, 120)).items) == 2
    os.kill(child_of(parser), signal.SIGKILL)
    eventually(lambda: not runs(child_of(parser)), "the process has ended")
    assert len((await parser.parse(SOURCE, GOOD, 120)).items) == 2


async def test_parser_process_that_cannot_start_is_an_upstream_error(monkeypatch: pytest.MonkeyPatch):
    """A failure on this machine, such as too many processes, is reported for the feed."""
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    parser = FeedParser()
    with pytest.raises(UpstreamError, match="cannot be started"):
        await parser.parse(SOURCE, GOOD, 120)
    await parser.aclose()


async def test_parser_that_is_closed_leaves_no_process():
    """N1: closing ends the process at once, even while it parses, and feeds that still wait fail."""
    parser = FeedParser(ParseLimits(cpu_seconds=600))
    await parser.parse(SOURCE, GOOD, 60)
    child = child_of(parser)
    before = cpu_ticks(child)
    waiting = asyncio.gather(*(parser.parse(SOURCE, SLOW, 600) for _ in range(2)), return_exceptions=True)
    await eventually_async(lambda: cpu_ticks(child) > before + 1, "the process parses")
    started = time.monotonic()
    await parser.aclose()
    assert time.monotonic() - started < 30
    assert not exists(child)
    assert all("shutting down" in str(outcome) for outcome in await waiting)


@pytest.mark.parametrize("steps", [1, 2])
async def test_parser_that_is_closed_while_its_process_starts_leaves_no_process(steps: int):
    """N1: a process that starts while the parser is closed is ended too, and closing does not wait for its feed."""
    parser = FeedParser()
    parsing = asyncio.create_task(parser.parse(SOURCE, GOOD, 30))
    for _ in range(steps):
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await parser.aclose()
    assert parser._child is None
    with pytest.raises(ProviderTimeoutError, match="shutting down"):
        await parsing


OWNER = """
import asyncio
from financehub_shared.providers.rss.parser_process import FeedParser
from support.feeds import SOURCE, entry, rss_of

async def main():
    parser = FeedParser()
    await parser.parse(SOURCE, rss_of(entry()), 120)
    print(parser._child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_parser_process_ends_with_its_owner():
    """N1: if the worker is killed with SIGKILL, its parser process ends, too.

    Signals that reach the whole process group do not end it, because the worker drains first.
    """
    owner = launch(
        [sys.executable, "-c", OWNER], env=os.environ | {"PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, text=True
    )
    try:
        child = next(int(line) for line in owner.stdout if line.strip().isdigit())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            assert ignores(child, number)
            os.kill(child, number)
        assert runs(child)
    finally:
        end(owner)
    eventually(lambda: not runs(child), "the parser process ends")
